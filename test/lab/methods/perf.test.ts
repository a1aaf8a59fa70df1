/**
 * The methods perf and af_packet on real interrupts of a two-queue igb, beside their judges on the same traffic: perf
 * record, tcpdump, the NIC's counters, and the eBPF method packet by packet.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SINK_PORT, SPREAD_FLOWS, sequencePayload, spreadPort, udpFrame } from '../../../lab/frames.js';
import { Guest } from '../../../lab/guest.js';
import type { Running } from '../../../lab/running.js';
import { GuestTrace, NOTHING_LOST, type Traced, outOfOrder } from '../guest-trace.js';
import type { PacketLine } from '../ndjson.js';

const LONG = process.env['RXSTAMP_LONG'] === '1';
const COUNT = 640;
const SHORTEST = 20;
/** Two listeners read the clock for themselves, one behind the other; in an emulated CPU either may be held up. */
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
const PACING = { burst: 2, gapUs: 3000 };

/** Nanoseconds of a packet's stage. */
const stamp = (packet: PacketLine, stage: keyof PacketLine['stages']): bigint =>
  BigInt(packet.arrival) + BigInt(packet.stages[stage] as number);
const nanoseconds = (text: string): bigint => BigInt(text.replace('.', ''));
const apart = (a: bigint, b: bigint): number => Math.abs(Number(a - b));

/** A program beside the traces, until SIGINT. */
async function ended(running: Running): Promise<void> {
  running.kill('SIGINT');
  await running.wait();
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
      const recording = guest.start(['perf', 'record', ...words, '-o', '/tmp/perf.data']);
      const dumping = guest.start([
        'sh',
        '-c',
        `exec tcpdump -i eth0 -n -tt --time-stamp-precision=nano udp port ${SINK_PORT} >/tmp/dump 2>/tmp/dump.err`,
      ]);
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
      await Promise.all([ended(recording), ended(dumping)]);
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
      expect({ ...one('perf').account, packets: packets.map(indexOf) }).toEqual({
        ...NOTHING_LOST,
        packets: FRAMES.map((_, index) => index),
      });
      expect(
        packets.filter(({ stages }) => stages.driver === undefined || stages.stack === undefined),
      ).toEqual([]);
      expect(outOfOrder(packets)).toEqual([]);
    });

    it('perf’s packets are the eBPF method’s, one by one, by the same interrupt where both tell one', () => {
      const theirs = ours(one('ebpf'));
      const mine = ours(one('perf'));
      expect(mine.map(indexOf)).toEqual(theirs.map(indexOf));
      const far = mine.filter(
        (packet, i) => apart(stamp(packet, 'driver'), stamp(theirs[i]!, 'driver')) > APART_NS,
      );
      expect(far).toEqual([]);
      const both = mine.flatMap((packet, i) =>
        packet.irq === undefined || theirs[i]!.irq === undefined ? [] : [[packet.irq, theirs[i]!.irq]],
      );
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
      const mine = one('interrupts').lines.interrupts.map(({ time }) => BigInt(time));
      const [from, to] = [mine[0]!, mine.at(-1)!];
      const theirs = record
        .filter(({ irq }) => irq === irqOfQueue.get(0))
        .map(({ time }) => time)
        .filter((time) => time > from - BigInt(APART_NS) && time < to + BigInt(APART_NS));
      expect(theirs.length).toBe(mine.length);
      expect(mine.length).toBeGreaterThan(COUNT / 8);
      expect(mine.filter((time, i) => apart(time, theirs[i]!) > APART_NS)).toEqual([]);
      expect(one('interrupts').account).toEqual(NOTHING_LOST);
    });

    it('af_packet gives every packet with tcpdump’s stamp, at the stage stack', () => {
      const packets = one('packets').lines.packets;
      expect(one('packets').account).toEqual(NOTHING_LOST);
      expect(packets.map(indexOf)).toEqual(FRAMES.map((_, index) => index));
      expect(dump.map(({ length }) => length - SHORTEST)).toEqual(FRAMES.map((_, index) => index));
      const far = packets.filter((packet, i) => apart(stamp(packet, 'stack'), dump[i]!.time) > APART_NS);
      expect(far).toEqual([]);
      expect(packets.filter(({ stage, how }) => stage !== 'stack' || how !== 'unknown')).toEqual([]);
    });

    it('af_packet’s stamps lie behind the driver’s, and are told so', () => {
      const theirs = ours(one('ebpf'));
      const late = one('packets').lines.packets.map((packet, i) =>
        Number(stamp(packet, 'stack') - stamp(theirs[i]!, 'driver')),
      );
      expect(late.filter((ns) => ns <= 0)).toEqual([]);
      const median = late.sort((a, b) => a - b)[late.length >> 1] as number;
      process.stdout.write(`${kernel}: tcpdump's stamp is ${median} ns behind the driver stage (median)\n`);
      const driver = one('packets').lines.meta.ways.find(({ stage }) => stage === 'driver');
      expect(driver?.hook).toBeUndefined();
    });
  },
);
