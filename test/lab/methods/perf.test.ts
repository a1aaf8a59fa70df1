/**
 * The methods perf and af_packet on real interrupts of a two-queue igb, beside their judges on the same traffic: perf
 * record, tcpdump, the NIC's counters, and the eBPF method packet by packet.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  SINK_PORT,
  SPREAD_FLOWS,
  ptpSyncFrame,
  sequencePayload,
  spreadPort,
  udpFrame,
} from '../../../lab/frames.js';
import { Guest } from '../../../lab/guest.js';
import { settle } from '../../../lab/trace-in-guest.js';
import { GuestTrace, NOTHING_LOST, type Traced, outOfOrder } from '../guest-trace.js';
import type { PacketLine } from '../ndjson.js';
import { oneToOne, sameRun } from './moments.js';
import { Recorder } from './recorder.js';

const LONG = process.env['RXSTAMP_LONG'] === '1';
const COUNT = 640;
const SHORTEST = 20;
/** Frames for the NIC to stamp. */
const SHOTS = 3;
/** Two listeners read the clock for themselves, one behind the other: mostly so far apart, in an emulated CPU. */
const APART_NS = 2_000_000;

/** Frame `index` is the only one of its length. */
const FRAMES = Array.from({ length: COUNT }, (_, index) =>
  udpFrame({
    sourcePort: spreadPort(index % SPREAD_FLOWS),
    port: SINK_PORT,
    payload: sequencePayload(index, SHORTEST + index),
  }),
);
const indexOf = ({ length }: PacketLine): number => length - 28 - SHORTEST;
/** perf's events tell no ports; what else comes in is ARP and IPv6. */
const ours = (traced: Traced): PacketLine[] =>
  traced.lines.packets.filter(({ flow }) => flow.family === 'IPv4');
/** tcpdump's clock. */
const REAL = ['--clock', 'real'];
/** In 4 s: one queue keeps an eighth of its interrupts although its vCPU is held back for 3 s of them. */
const PACING = { burst: 2, gapUs: 12_000 };

/** Nanoseconds of a packet's stage. */
const stamp = (packet: PacketLine, stage: keyof PacketLine['stages']): bigint =>
  BigInt(packet.arrival) + BigInt(packet.stages[stage] as number);
const nanoseconds = (text: string): bigint => BigInt(text.replace('.', ''));
const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] as number;

/** Stamps of packets by their index. */
type Stamps = ReadonlyMap<number, bigint>;
const stampsOf = (packets: readonly PacketLine[], stage: keyof PacketLine['stages']): Stamps =>
  new Map(packets.map((packet) => [indexOf(packet), stamp(packet, stage)]));
const every = FRAMES.map((_, index) => index);
const indexesOf = (stamps: Stamps): number[] => [...stamps.keys()].sort((a, b) => a - b);

/** Packets of one CPU are stamped by one listener in the order of the other, and mostly at the same time. */
function expectSame(mine: Stamps, theirs: Stamps, cpuOf: ReadonlyMap<number, number>): void {
  expect([indexesOf(mine), indexesOf(theirs)]).toEqual([every, every]);
  for (const cpu of new Set(cpuOf.values())) {
    const there = every.filter((index) => cpuOf.get(index) === cpu);
    const order = (stamps: Stamps): number[] =>
      there.toSorted((a, b) => Number((stamps.get(a) as bigint) - (stamps.get(b) as bigint)));
    expect(order(mine)).toEqual(order(theirs));
  }
  const apart = every.map((index) =>
    Math.abs(Number((mine.get(index) as bigint) - (theirs.get(index) as bigint))),
  );
  expect(median(apart)).toBeLessThan(APART_NS);
}

describe.each(LONG ? ['6.12', '6.1', '5.10', '6.18', '7'] : ['6.12'])(
  'perf and af_packet on %s',
  (kernel) => {
    const guest = new Guest({ kernel, nic: 'igb,queues=2', cpus: 2 });
    const irqOfQueue = new Map<number, number>();
    const traces = new Map<string, Traced>();
    const one = (name: string): Traced => traces.get(name) as Traced;
    let record: readonly { readonly time: bigint; readonly irq: number }[] = [];
    let dump: readonly { readonly time: bigint; readonly length: number }[] = [];
    let queueCount = 0;

    const received = async (queue: number): Promise<number> =>
      Number(await guest.shell(`ethtool -S eth0 | sed -n 's/ *rx_queue_${queue}_packets: //p'`));

    beforeAll(async () => {
      await guest.boot();
      const { stdout } = await guest.run(['cat', '/proc/interrupts']);
      for (const [, irq, queue] of stdout.matchAll(/^\s*(\d+):.*eth0-rx-(\d+)$/gm))
        irqOfQueue.set(Number(queue), Number(irq));
      const first = irqOfQueue.get(0) as number;
      const filter = [...irqOfQueue.values()].map((irq) => `irq==${irq}`).join('||');
      const words = ['-q', '-k', 'CLOCK_MONOTONIC', '-a', '-e', 'irq:irq_handler_entry', '--filter', filter];
      const recording = await Recorder.start(guest, 'perf', [
        'perf',
        'record',
        ...words,
        '-o',
        '/tmp/perf.data',
      ]);
      const dumping = guest.start([
        'sh',
        '-c',
        `exec tcpdump -l -i eth0 -n -tt --time-stamp-precision=nano udp port ${SINK_PORT} >/tmp/dump 2>/tmp/dump.err`,
      ]);
      await settle(
        async () =>
          dumping.over ||
          (await guest.shell('cat /tmp/dump.err 2>/dev/null || true')).includes('listening on'),
        Boolean,
      );
      const wanted: Record<string, readonly string[]> = {
        perf: ['eth0', '--method', 'perf', '--until', 'stack', ...REAL],
        packets: [
          'eth0',
          '--method',
          'af_packet',
          '--until',
          'stack',
          ...REAL,
          'udp',
          'port',
          String(SINK_PORT),
        ],
        ebpf: ['eth0', '--until', 'stack', ...REAL],
        queue: ['--irq', String(first), '--method', 'perf'],
        interrupts: ['--irq', String(first), '--method', 'perf', '--interrupts'],
      };
      const running: [string, GuestTrace][] = [];
      for (const [name, options] of Object.entries(wanted))
        running.push([name, await GuestTrace.start(guest, ...options)]);
      const before = await received(0);
      await running[0]![1].send(FRAMES, PACING);
      queueCount = (await received(0)) - before;
      for (const [name, trace] of running) traces.set(name, await trace.end());
      await recording.end();
      // The kernel hands packets to it in blocks, some of them a second late.
      await settle(
        async () => Number(await guest.shell('wc -l </tmp/dump')),
        (lines) => lines >= COUNT,
      );
      dumping.kill('SIGINT');
      await dumping.wait();
      // The first turns the NIC's stamps on, the second finds them on.
      const stamped: [string, GuestTrace][] = [];
      for (const [name, options] of Object.entries({
        hardware: ['eth0', '--method', 'af_packet', '--until', 'stack', '--hw-timestamps'],
        reference: ['eth0', '--until', 'stack'],
      }))
        stamped.push([name, await GuestTrace.start(guest, ...options)]);
      for (let shot = 0; shot < SHOTS; shot++) {
        // QEMU's igb stamps the first PTP frame after a reset, and no other.
        await guest.shell(
          'ip link set eth0 down; ip link set eth0 up; for i in $(seq 600); do [ "$(cat /sys/class/net/eth0/carrier)" = 1 ] && exit 0; sleep 0.05; done; exit 1',
        );
        await stamped[0]![1].send([ptpSyncFrame(shot), ...FRAMES.slice(0, 2)]);
      }
      for (const [name, trace] of stamped.toReversed()) traces.set(name, await trace.end());
      const script = await guest.shell('perf script -i /tmp/perf.data --ns -F time,event,trace');
      record = [...script.matchAll(/^ *(\d+\.\d{9}): +irq:irq_handler_entry: irq=(\d+)/gm)].map(
        ([, time = '', irq]) => ({ time: nanoseconds(time), irq: Number(irq) }),
      );
      const text = await guest.shell('cat /tmp/dump; tail -3 /tmp/dump.err');
      expect(text).toContain('0 packets dropped by kernel');
      dump = [...text.matchAll(/^(\d+\.\d{9}) IP .* length (\d+)$/gm)].map(([, time = '', length]) => ({
        time: nanoseconds(time),
        length: Number(length),
      }));
    });
    afterAll(() => guest.close());

    it('perf gives every packet with its stages, and loses nothing', () => {
      const packets = ours(one('perf'));
      expect(one('perf').account).toEqual(NOTHING_LOST);
      expect(packets.map(indexOf).sort((a, b) => a - b)).toEqual(every);
      expect(packets.filter(({ stages }) => stages.driver === undefined)).toEqual([]);
      // A packet is not held for longer than 20 ms; a busy host may stop the emulated CPU for as long as that, and then
      // its stamp is told to have come too late.
      const without = packets.filter(({ stages }) => stages.stack === undefined);
      expect(without.length).toBe(one('perf').lines.summary.lateStages ?? 0);
      expect(outOfOrder(packets)).toEqual([]);
    });

    it('perf’s packets are the eBPF method’s, one by one, by the same interrupt where both tell one', () => {
      const mine = ours(one('perf'));
      const theirs = new Map(ours(one('ebpf')).map((packet) => [indexOf(packet), packet]));
      const cpuOf = new Map(mine.map((packet) => [indexOf(packet), packet.cpu]));
      expectSame(stampsOf(mine, 'driver'), stampsOf([...theirs.values()], 'driver'), cpuOf);
      const both = mine.flatMap((packet) => {
        const other = theirs.get(indexOf(packet))?.irq;
        return packet.irq === undefined || other === undefined ? [] : [[packet.irq, other]];
      });
      expect(both.filter(([a, b]) => a !== b)).toEqual([]);
      expect(both.length).toBeGreaterThan(COUNT / 2);
    });

    it('perf’s filter on one line lets nothing of the other queue out of the kernel', () => {
      const packets = ours(one('queue'));
      expect([...new Set(packets.map(({ queue }) => queue))]).toEqual([0]);
      expect([packets.length, one('queue').lines.summary.lost]).toEqual([queueCount, 0]);
      expect(queueCount).toBeLessThan(COUNT);
      expect([...new Set(one('interrupts').lines.interrupts.map(({ irq }) => irq))]).toEqual([
        irqOfQueue.get(0),
      ]);
    });

    it('perf’s interrupts are perf record’s, one by one', () => {
      const mine = one('interrupts').lines.interrupts.map(({ time }) => Number(time));
      const line = record.filter(({ irq }) => irq === irqOfQueue.get(0)).map(({ time }) => Number(time));
      const theirs = sameRun(mine, line);
      expect(mine.length).toBeGreaterThan(COUNT / 8);
      oneToOne(mine, theirs);
      expect(one('interrupts').account).toEqual(NOTHING_LOST);
    });

    it('af_packet gives every packet with tcpdump’s stamp, at the stage stack', () => {
      const packets = one('packets').lines.packets;
      expect(one('packets').account).toEqual(NOTHING_LOST);
      const theirs = new Map(dump.map(({ time, length }) => [length - SHORTEST, time]));
      expect(dump.length).toBe(COUNT);
      const cpuOf = new Map(packets.map((packet) => [indexOf(packet), packet.cpu]));
      expectSame(stampsOf(packets, 'stack'), theirs, cpuOf);
      expect(packets.filter(({ stage, how }) => stage !== 'stack' || how !== 'unknown')).toEqual([]);
    });

    it('af_packet’s stamps lie behind the driver’s, and are told so', () => {
      const theirs = stampsOf(ours(one('ebpf')), 'driver');
      const mine = stampsOf(one('packets').lines.packets, 'stack');
      const late = every.map((index) => Number((mine.get(index) as bigint) - (theirs.get(index) as bigint)));
      expect(late.filter((ns) => !(ns > 0))).toEqual([]);
      process.stdout.write(
        `${kernel}: tcpdump's stamp is ${median(late)} ns behind the driver stage (median)\n`,
      );
      const driver = one('packets').lines.meta.ways.find(({ stage }) => stage === 'driver');
      expect(driver?.hook).toBeUndefined();
    });

    it('af_packet has the NIC’s stamps beside its own, those that the eBPF method has', () => {
      const [mine = [], theirs = []] = ['hardware', 'reference'].map((name) =>
        one(name)
          .lines.packets.filter(({ stages }) => stages.hw !== undefined)
          .map((packet) => stamp(packet, 'hw')),
      );
      expect([mine.length, theirs.length]).toEqual([SHOTS, SHOTS]);
      expect(median(mine.map((time, i) => Math.abs(Number(time - theirs[i]!))))).toBeLessThan(APART_NS);
      const { account, lines } = one('hardware');
      expect(account).toEqual(NOTHING_LOST);
      expect(lines.packets.filter(({ stages }) => stages.stack === undefined)).toEqual([]);
    });
  },
);
