/**
 * A packet socket's stamps as records: what tcpdump gets. A row is a packet at the stage `stack`; nothing earlier is
 * known of it, and no interrupt.
 */
import { spanText } from '../../base/time.js';
import { HardwareStamps } from '../hardware.js';
import { HEADER_WORDS, type Lane, PacketColumns } from '../../record/lane.js';
import type { FilterCounter, Listened, StageWay } from '../../record/source.js';
import { stageIndex } from '../../stages.js';
import { clockOffset } from '../../sys/clock.js';
import { possibleCpuCount } from '../../sys/cpus.js';
import type { PacketFrame } from '../../sys/packet-socket/frames.js';
import { PacketSockets } from '../../sys/packet-socket/socket.js';
import { pause } from '../../sys/pause.js';
import { BasicSource } from '../basic-source.js';
import { clearPacket } from '../events/rows.js';
import type { MethodRequest } from '../method.js';
import { Realtime } from './realtime.js';

const STACK = stageIndex('stack') - stageIndex('driver');
/** What a CPU is in the middle of when the filter closes has come by then. */
const SETTLE_MS = 1;
/** How long the kernel may take to switch stamping on. */
const SWITCH_MS = 50;
/** How much later than its stamp a packet may be there to be read, for telling on which side of a clock's step it lies. */
const LATE_NS = 10_000_000;

/** Where the stamp is taken: tpacket_get_timestamp() takes skb->tstamp where net_timestamp_check() has set it. */
const HOOK =
  'packet socket, stamped by tpacket_rcv; while any socket of the machine asks for stamps, by netif_receive_skb before RPS (net.core.netdev_tstamp_prequeue)';

/** The same with the NIC's: SO_TIMESTAMPING asks for the early one. */
const BOTH_HOOK =
  'packet socket with SO_TIMESTAMPING, stamped by netif_receive_skb before RPS (net.core.netdev_tstamp_prequeue)';

const ways = (hook: string): readonly StageWay[] => [
  {
    stage: 'driver',
    hook: undefined,
    reasons: ['a packet socket sees packets behind GRO, when the stack hands them to protocols'],
  },
  { stage: 'stack', hook, reasons: [] },
];

/** A running session. Errors: RXS_SYS, RXS_NO_MEMORY. */
export class PacketSource extends BasicSource {
  readonly ways: readonly StageWay[];
  readonly programs: readonly string[] = ['packet_socket'];
  override readonly notes: readonly string[];
  private readonly sockets: PacketSockets[] = [];
  private readonly realtime: Realtime;
  private readonly cpus: number;
  private lane!: Lane;
  /** When the clocks were last compared, relative to base: no packet before it has come later than that. */
  private compared = 0;
  private packets = 0;
  private readonly ifindexes: readonly number[];
  private readonly hardware: HardwareStamps | undefined;
  private readonly nic = new Uint32Array(2);

  /** @param filters one per interface of the request */
  constructor(request: MethodRequest, filters: readonly Uint8Array[]) {
    super('af_packet');
    const first = clockOffset('real');
    this.realtime = new Realtime(this.base, first);
    const { hardware } = request;
    const both = hardware?.clock !== undefined;
    this.ways = [
      ...(hardware === undefined ? [] : [{ stage: 'hw' as const, ...hardware.way }]),
      ...ways(both ? BOTH_HOOK : HOOK),
    ];
    this.hardware = hardware?.clock === undefined ? undefined : new HardwareStamps(this.base, hardware.clock);
    if (this.hardware !== undefined) this.hardware.onStep = (step) => this.onHardwareStep(step);
    this.notes = [
      ...(both
        ? [
            'the kernel stamps every packet of the machine as long as this runs: tcpdump gets those stamps too',
          ]
        : []),
      `a packet socket's stamps are CLOCK_REALTIME; in CLOCK_MONOTONIC they are known to ±${spanText(first.error)}`,
      'packets that GRO put together come as one: `ethtool -K IFACE gro off` shows them one by one',
    ];
    this.cpus = possibleCpuCount();
    this.ifindexes = request.interfaces.map(({ ifindex }) => ifindex);
    try {
      for (const { name, ifindex } of request.interfaces)
        this.sockets.push(new PacketSockets(name, ifindex, this.cpus, request.ringBytes, both));
      // The kernel switches stamping on a little later (net_enable_timestamp, netstamp_work).
      if (both) pause(SWITCH_MS);
      for (const [i, one] of this.sockets.entries()) one.start(filters[i] as Uint8Array, request.cpus);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  protected read(): number {
    this.realtime.read(clockOffset('real'));
    this.compared = this.now();
    this.packets = 0;
    for (const one of this.sockets) {
      for (let cpu = 0; cpu < this.cpus; cpu++) {
        this.lane = this.lanes[cpu] as Lane;
        one.drain(cpu, this.add);
        this.lost('ring_full', cpu, one.count(cpu).dropped);
      }
    }
    this.hardware?.convert(this.now());
    this.lost('hw_stamp_clock', -1, this.hardware?.takeLost() ?? 0);
    return this.packets;
  }

  /** Makes a row of a frame. @returns false: it came after the clocks were compared, the next reading is for it */
  private readonly add = (frame: PacketFrame): boolean => {
    const { seconds, nanoseconds, hardware } = frame;
    if (seconds === 0) {
      this.lost('not_understood', this.lane.cpu, 1);
      return true;
    }
    const time = this.realtime.convert(seconds, nanoseconds, this.drainedTo - LATE_NS, this.compared);
    if (time > this.compared + this.realtime.error) return false;
    this.packets++;
    if (Number.isNaN(time)) {
      this.lost('not_understood', this.lane.cpu, 1);
      return true;
    }
    const { lane } = this;
    const row = lane.addPacket();
    const { packets } = lane;
    clearPacket(packets, row, PacketColumns.UNTOLD);
    packets.times[STACK]![row] = time;
    packets.stackCpu[row] = lane.cpu + 1;
    packets.length[row] = frame.length;
    packets.protocol[row] = frame.protocol;
    packets.vlan[row] = frame.vlan;
    packets.capturedLength[row] = frame.captured;
    const bytes = new Uint8Array(packets.header.buffer, row * HEADER_WORDS * 4, HEADER_WORDS * 4);
    const from = frame.view.byteOffset + frame.at;
    bytes.set(new Uint8Array(frame.view.buffer, from, frame.captured));
    lane.openFrom = lane.count;
    if (hardware !== undefined && this.hardware !== undefined) {
      this.nic[0] = Number(hardware & 0xffff_ffffn);
      this.nic[1] = Number(hardware >> 32n);
      this.hardware.take(lane, row, this.nic, 0);
    }
    return true;
  };

  /** Interrupts are nothing to it; a socket stays with its interface, also while that is down. */
  override follow(target: Listened): void {
    const { ifindex } = target;
    if (ifindex !== undefined && !this.ifindexes.includes(ifindex)) super.follow(target);
  }

  protected detach(): void {
    for (const one of this.sockets) one.stop();
    pause(SETTLE_MS);
  }

  protected release(): void {
    for (const one of this.sockets) one.close();
  }

  /** A socket's filter does not count what it stops. */
  override filtered(counter: FilterCounter): number {
    return counter === 'unmatched' || counter === 'unreadable' ? Number.NaN : 0;
  }
}
