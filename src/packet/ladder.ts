/**
 * What comes after the driver stage, put into the rows of the packets it is about. Cast: the records name their packet
 * by its place in its lane, so a row is found at once; `coming` are records that were read before their packet's, which
 * lies in another CPU's ring; `carriers` are packets that have the bytes of others and pass their stamps on to them;
 * `streams` are TCP sockets, where only sequence numbers tell what was read.
 */
import { FATE, FIRST_PACKET_STAGE, Lane, UNKNOWN_BYTES } from '../record/lane.js';
import { LATER, LaterRecord, SEQUENCE_BITS } from '../record/later.js';
import type { RecordSource } from '../record/source.js';
import { Carriers } from './carriers.js';
import { DROP, READ, SOCKET, STACK, TRANSPORT, followTo, hasEnded, isStranger, takeRead } from './ends.js';
import { Reassembly } from './reassembly.js';
import { Headers } from './segment.js';
import { Streams } from './streams.js';

/** How long a program may take from reading its clock to publishing its record, interrupts included. */
export const IN_FLIGHT_NS = 1_000_000;

/** What the kernel says of a packet that was freed because its socket went: no reason at all, or one of these. */
const CLOSING = new Set([undefined, 'NOT_SPECIFIED', 'QUEUE_PURGE', 'SOCKET_CLOSE']);

const SWEEP_NS = 1_000_000_000;

/** The later stages of all packets that have not left. */
export class Ladder {
  /** Records of packets that had left already. */
  late = 0;
  /** Records whose packet was never seen; each is a loss. */
  unmatched = 0;
  private readonly source: RecordSource;
  private coming: LaterRecord[] = [];
  /** What only makes sense in the order of time over all CPUs: records about sockets, reassembled datagrams. */
  private ordered: LaterRecord[] = [];
  private swept = 0;
  private readonly carriers: Carriers;
  private readonly reassembly = new Reassembly();
  private readonly streams = new Streams();
  private readonly names = new Map<number, string>();
  private readonly headers = new Headers();

  constructor(source: RecordSource) {
    this.source = source;
    this.carriers = new Carriers(source.lanes);
    source.onLater = (record) => {
      if (!this.add(record)) this.coming.push(record.copy());
    };
  }

  /** Name of a thread that was woken or read, as it was when it was last seen; undefined: not seen. */
  taskName(tid: number): string | undefined {
    return this.names.get(tid);
  }

  /** Call when all rings were read. @param final nothing more will come */
  settle(final: boolean): void {
    const waiting = this.coming;
    const now = this.source.drainedTo;
    this.coming = [];
    for (const record of waiting) {
      if (this.add(record)) continue;
      // Rings are read one after the other, and a record is published after its stamp: it may still come.
      if (!final && record.time > now - 2 * IN_FLIGHT_NS) this.coming.push(record);
      else if (!isStranger(record)) {
        this.unmatched++;
        const { cpu, time } = record;
        this.source.onLoss({ cause: 'stage_unmatched', cpu, count: 1, from: time, to: time });
      }
    }
    const complete = final ? Number.POSITIVE_INFINITY : now - IN_FLIGHT_NS;
    const ready = this.ordered.filter((record) => record.time <= complete);
    if (ready.length > 0) {
      this.ordered = this.ordered.filter((record) => record.time > complete);
      for (const record of ready.sort((a, b) => a.time - b.time)) this.inOrder(record);
    }
    if (now <= this.swept + SWEEP_NS) return;
    this.swept = now;
    this.carriers.sweep();
    this.reassembly.sweep(now);
    this.streams.sweep(now, (id) => this.carriers.visit(id, () => {}));
  }

  /** Returns false when the record's packet has not been read yet. */
  private add(record: LaterRecord): boolean {
    if (record.what === LATER.tcpRead || record.what === LATER.tcpClosed) {
      this.ordered.push(record.copy());
      return true;
    }
    const lane = this.source.lanes[record.origin];
    if (lane === undefined) return false;
    const row = lane.rowAt(record.sequence);
    if (row === Lane.COMING) return false;
    if (row === Lane.LEFT) {
      this.noteLate(record);
      // It may carry packets that have not left.
      for (const id of this.carriers.of(lane.idAt(record.sequence))) {
        this.carriers.visit(id, (other, its) => this.about(record, other, its));
      }
      return true;
    }
    // Another packet, whose place is the same modulo 2^27: this one's left long ago.
    const address = lane.packets.skb[row] as number;
    if (record.check !== 0 && Math.floor(address / 64) >>> 0 !== record.check) {
      this.noteLate(record);
      return true;
    }
    return this.about(record, lane, row);
  }

  /** Counts a record whose packet has left. */
  private noteLate(record: LaterRecord): void {
    if (record.what !== LATER.evicted && !isStranger(record)) this.late++;
  }

  private about(record: LaterRecord, lane: Lane, row: number): boolean {
    const { packets } = lane;
    const { time, cpu } = record;
    switch (record.what) {
      case LATER.stamp:
        this.stamp(lane, row, record.stage - FIRST_PACKET_STAGE, time, cpu);
        break;
      case LATER.tcpSocket:
        this.stamp(lane, row, SOCKET, time, cpu);
        this.ordered.push(record.copy());
        break;
      case LATER.read:
        this.names.set(record.tid, record.name);
        this.read(lane, row, record, record.bytes);
        break;
      case LATER.drop:
      case LATER.consumed:
      case LATER.released:
        // What these mean hangs on what the packet has been through, which another ring may tell: of TCP, that a reader
        // had passed its last byte before it was freed, on whichever CPU that was (skb_attempt_defer_free).
        if (!record.entered || this.headers.needOrder(lane, row)) this.ordered.push(record.copy());
        else this.freed(lane, row, record);
        break;
      case LATER.woken:
        this.names.set(record.tid, record.name);
        if (packets.wokenTid[row] === 0) packets.wokenTid[row] = record.tid;
        break;
      case LATER.merged:
      case LATER.coalesced:
        return this.merge(lane, row, record);
      case LATER.forwarded:
        this.end(lane, row, time, FATE.forwarded);
        break;
      case LATER.evicted:
        this.evicted(lane, row, record);
        break;
      case LATER.tcpRead:
      case LATER.tcpClosed: // about no packet
    }
    return true;
  }

  /** Stamps a packet and those it carries. One that comes by twice (a bridge, a tunnel) keeps its first pass. */
  private stamp(lane: Lane, row: number, at: number, time: number, cpu: number): void {
    const times = lane.packets.times[at] as Float64Array;
    if (!Number.isNaN(times[row])) return;
    times[row] = time;
    if (at === STACK) lane.packets.stackCpu[row] = cpu + 1;
    if (this.headers.isFragment(lane, row)) this.fragment(lane, row, at, time);
    this.carriers.each(lane, row, (other, its) => this.stamp(other, its, at, time, cpu));
  }

  /** Nothing more will come of it, nor of those that it carries. */
  private end(lane: Lane, row: number, time: number, fate: number): void {
    const { packets } = lane;
    if (hasEnded(lane, row)) return;
    packets.ended[row] = time;
    if (packets.fate[row] === FATE.open) packets.fate[row] = fate;
    this.carriers.each(lane, row, (other, its) => this.end(other, its, time, fate));
  }

  /** A datagram was read. What was taken is counted once, on the packet that carried it. */
  private read(lane: Lane, row: number, record: LaterRecord, bytes: number): void {
    if (hasEnded(lane, row)) return;
    takeRead(lane, row, record, bytes);
    this.carriers.each(lane, row, (other, its) => this.read(other, its, record, 0));
  }

  private freed(lane: Lane, row: number, record: LaterRecord): void {
    if (hasEnded(lane, row)) return;
    // An skb that never came in by an interface, at the address of a packet that was freed unseen.
    if (!record.entered && !Number.isNaN(lane.packets.times[STACK]![row])) return;
    if (record.what === LATER.drop) this.drop(lane, row, record);
    else if (record.what === LATER.consumed) this.consumed(lane, row, record);
    else this.released(lane, row, record);
  }

  private drop(lane: Lane, row: number, record: LaterRecord): void {
    this.stamp(lane, row, DROP, record.time, record.cpu);
    const reason = (other: Lane, its: number): void => {
      other.packets.dropReason[its] = record.reason;
      this.carriers.each(other, its, reason);
    };
    reason(lane, row);
    this.end(lane, row, record.time, FATE.dropped);
  }

  private consumed(lane: Lane, row: number, record: LaterRecord): void {
    // Reassembly frees the skbs of fragments whose bytes it has put into another one.
    if (this.headers.isFragment(lane, row) && Number.isNaN(lane.packets.times[TRANSPORT]![row])) return;
    this.end(lane, row, record.time, FATE.kernel);
  }

  /** Where sockets are out of reach: a datagram that a task freed was read by it; who read another is not known. */
  private released(lane: Lane, row: number, record: LaterRecord): void {
    const { tcp, udp, fragment } = this.headers.read(lane, row);
    if (udp && record.tid !== 0) {
      this.names.set(record.tid, record.name);
      if (fragment) this.reassembled(lane, row);
      this.read(lane, row, record, UNKNOWN_BYTES);
    } else if (!fragment) this.end(lane, row, record.time, tcp || udp ? FATE.open : FATE.kernel);
  }

  /**
   * The last word on a packet that leaves: freed after it was queued on a socket is not the same as freed before, and by
   * now both are known.
   */
  conclude(lane: Lane, row: number): void {
    const { packets } = lane;
    if (Number.isNaN(packets.times[SOCKET]![row])) return;
    if (packets.fate[row] === FATE.dropped) {
      if (CLOSING.has(this.source.dropReasonName(packets.dropReason[row] as number)))
        packets.fate[row] = FATE.closed;
    } else if (packets.fate[row] === FATE.kernel && !this.headers.read(lane, row).tcp) {
      // A ping socket's: nothing says who read it.
      packets.fate[row] = FATE.read;
      packets.times[READ]![row] = packets.ended[row] as number;
      packets.readBytes[row] = UNKNOWN_BYTES;
    }
  }

  private evicted(lane: Lane, row: number, record: LaterRecord): void {
    const { packets } = lane;
    if (hasEnded(lane, row)) return;
    // A TCP segment that lies in its socket is followed by its sequence number.
    if (this.headers.read(lane, row).tcp && !Number.isNaN(packets.times[SOCKET]![row])) return;
    packets.ended[row] = record.time;
    this.source.onLoss({
      cause: 'untracked',
      cpu: record.cpu,
      count: 1,
      from: record.time,
      to: record.time,
    });
  }

  /** Returns false when the packet that it was merged into has not been read yet. */
  private merge(lane: Lane, row: number, record: LaterRecord): boolean {
    const named = record.what === LATER.merged;
    const into = this.source.lanes[record.intoOrigin];
    if (into?.rowAt(record.intoSequence) === Lane.COMING) return false;
    if (named) lane.packets.fate[row] = FATE.merged;
    if (into === undefined) lane.packets.ended[row] = record.time;
    else this.carry(into.idAt(record.intoSequence), lane, row, named);
    return true;
  }

  /** From now on `carrier` has the bytes of this packet. */
  private carry(carrier: number, lane: Lane, row: number, named: boolean): void {
    this.carriers.add(carrier, lane.idOf(row));
    if (named) lane.packets.mergedInto[row] = carrier;
    // What the carrier has been through since: rings are not read in the order of time.
    this.carriers.visit(carrier, (from, its) => {
      const { packets } = from;
      for (let at = STACK; at <= SOCKET; at++) {
        const time = packets.times[at]![its] as number;
        if (!Number.isNaN(time)) this.stamp(lane, row, at, time, (packets.stackCpu[its] as number) - 1);
      }
      // A segment has a read of its own, and no other end.
      const shared = !Number.isNaN(packets.times[DROP]![its]) || !this.headers.read(from, its).tcp;
      if (hasEnded(from, its) && shared) followTo(from, its, lane, row);
    });
  }

  /** Fragments wait for each other in the IP layer; the last one to arrive goes up as the whole datagram. */
  private fragment(lane: Lane, row: number, at: number, time: number): void {
    if (at === STACK) {
      this.reassembly.add(this.headers.read(lane, row).fragmentKey(), lane.idOf(row), time);
    } else if (at === TRANSPORT && lane.packets.mergedInto[row] === -1) {
      const record = Object.assign(new LaterRecord(), { stage: at, time, origin: lane.cpu });
      record.sequence = lane.idOf(row) % 2 ** SEQUENCE_BITS;
      this.ordered.push(record);
    }
  }

  private inOrder(record: LaterRecord): void {
    if (record.what === LATER.tcpRead || record.what === LATER.tcpClosed) {
      if (record.tid !== 0) this.names.set(record.tid, record.name);
      this.leaveSocket(record);
      return;
    }
    const id = (this.source.lanes[record.origin] as Lane).idAt(record.sequence);
    if (record.what === LATER.tcpSocket) this.queueSegment(record, id);
    else if (record.what === LATER.stamp) this.carriers.visit(id, (lane, row) => this.reassembled(lane, row));
    else this.carriers.visit(id, (lane, row) => this.freed(lane, row, record));
  }

  private reassembled(lane: Lane, row: number): void {
    const id = lane.idOf(row);
    for (const other of this.reassembly.take(this.headers.read(lane, row).fragmentKey())) {
      if (other === id) continue;
      this.carriers.visit(other, (its, at) => {
        its.packets.fate[at] = FATE.merged;
        its.packets.ended[at] = Number.POSITIVE_INFINITY;
        this.carry(id, its, at, true);
      });
    }
  }

  private leaveSocket(record: LaterRecord): void {
    // What a socket says of itself while it is taken down is not what was read of it (tcp_disconnect).
    const closed = record.what === LATER.tcpClosed;
    const ids = closed ? this.streams.close(record.sock) : this.streams.take(record.sock, record.copied);
    for (const id of ids) {
      const found = this.carriers.visit(id, (lane, row) => {
        const { packets } = lane;
        if (hasEnded(lane, row)) return;
        if (!closed) takeRead(lane, row, record, this.headers.read(lane, row).payload);
        else if (packets.fate[row] === FATE.open) packets.fate[row] = FATE.closed;
        packets.ended[row] = record.time;
      });
      if (!found) this.late++;
    }
  }

  private queueSegment(record: LaterRecord, id: number): void {
    const { sock, time } = record;
    this.carriers.visit(id, (lane, row) => {
      const { payload, sequence } = this.headers.read(lane, row);
      if (payload > 0) this.streams.queue(sock, id, (sequence + payload) >>> 0, time);
    });
    for (const other of this.carriers.of(id)) this.queueSegment(record, other);
  }
}
