/**
 * The main job on a full kernel: 10,000 datagrams over 16 flows into a two-queue igb, against independent witnesses: the
 * NIC's own counters, /proc/interrupts, and a bpftrace script on the same interrupts.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  ADDRESSES,
  SINK_PORT,
  SPREAD_FLOWS,
  sequencePayload,
  spreadPort,
  udpFrame,
} from '../../lab/frames.js';
import { Guest } from '../../lab/guest.js';
import { toStderr } from '../../lab/progress.js';
import { settle } from '../../lab/trace-in-guest.js';
import { STAGE_NAMES } from '../../src/stages.js';
import { type Account, GuestTrace, NOTHING_LOST, interruptCount, outOfOrder } from './guest-trace.js';
import type { PacketLine, TraceLines } from './ndjson.js';

const COUNT = 10_000;
/** Sizes walk through this many values, so that a packet's length tells its place in the order. */
const SIZES = 997;

const sizeOf = (index: number): number => 20 + (index % SIZES);
const portOf = (index: number): number => spreadPort(index % SPREAD_FLOWS);

/** Frame `index`: flows take turns, even ones IPv4, odd ones IPv6. */
function frame(index: number): Buffer {
  const six = index % 2 === 1;
  return udpFrame({
    sourcePort: portOf(index),
    port: SINK_PORT,
    payload: sequencePayload(index, sizeOf(index)),
    target: six ? ADDRESSES.guest6 : ADDRESSES.guest4,
  });
}

const ours = (packet: PacketLine): boolean => packet.flow.destinationPort === SINK_PORT;
const udpHeaders = (packet: PacketLine): number => (packet.flow.family === 'IPv6' ? 48 : 28);

describe('trace on 6.12 with a two-queue igb', () => {
  const guest = new Guest({ kernel: '6.12', nic: 'igb,queues=2', cpus: 2 });
  let irqOfQueue: Map<number, number>;
  /** Nobody moves interrupts in the guest. */
  let cpuOfQueue: Map<number, number>;

  beforeAll(async () => {
    await guest.boot();
    const { stdout } = await guest.run(['cat', '/proc/interrupts']);
    const lines = [...stdout.matchAll(/^\s*(\d+):.*eth0-rx-(\d+)$/gm)];
    irqOfQueue = new Map(lines.map(([, irq, queue]) => [Number(queue), Number(irq)]));
    cpuOfQueue = new Map();
    for (const [queue, irq] of irqOfQueue)
      cpuOfQueue.set(queue, Number(await guest.shell(`cat /proc/irq/${irq}/effective_affinity_list`)));
  });
  afterAll(() => guest.close());

  const queueCounters = async (): Promise<number[]> => {
    const { stdout } = await guest.run(['ethtool', '-S', 'eth0']);
    return [0, 1].map((queue) => Number(new RegExp(`rx_queue_${queue}_packets: (\\d+)`).exec(stdout)?.[1]));
  };

  describe(`10,000 datagrams of ${SPREAD_FLOWS} flows`, () => {
    let account: Account;
    let trace: TraceLines;
    let packets: readonly PacketLine[];
    let perQueue: number[];

    beforeAll(async () => {
      const before = await queueCounters();
      const running = await GuestTrace.start(guest, 'eth0', '--until', 'stack');
      await running.send(
        Array.from({ length: COUNT }, (_, index) => frame(index)),
        // Ten seconds, so that the frames of some that the host does not run the guest for are the smaller part.
        { burst: 4, gapUs: 4000 },
      );
      ({ account, lines: trace } = await running.end());
      packets = trace.packets.filter(ours);
      const after = await queueCounters();
      perQueue = after.map((count, queue) => count - (before[queue] ?? 0));
    });

    it('gives all of them and loses nothing', () => {
      expect({ ...account, packets: packets.length }).toEqual({ ...NOTHING_LOST, packets: COUNT });
      expect(trace.summary.packets).toBe(trace.packets.length);
    });

    it('stamps every stage of the ladder up to the stack', () => {
      expect(trace.meta.ways.map((way) => way.stage)).toEqual(
        STAGE_NAMES.slice(0, STAGE_NAMES.indexOf('stack') + 1),
      );
      // The NIC stamps nothing unless it is told to (--hw-timestamps).
      const without = trace.meta.ways.filter((way) => way.hook === undefined).map((way) => way.stage);
      expect(without).toEqual(['hw']);
      const incomplete = packets.filter(
        (packet) => packet.stages.driver === undefined || packet.stages.stack === undefined,
      );
      expect(incomplete).toEqual([]);
    });

    it('has the stages of every packet in ladder order', () => {
      expect(outOfOrder(packets)).toEqual([]);
    });

    it('names the interrupt of the queue that the NIC put each packet on', () => {
      expect(irqOfQueue.size).toBe(2);
      const wrong = packets.filter(
        (packet) => packet.queue === null || packet.irq !== irqOfQueue.get(packet.queue),
      );
      expect(wrong).toEqual([]);
    });

    it('counts on each queue what the NIC counted', () => {
      const counted = [0, 1].map((queue) => trace.packets.filter((packet) => packet.queue === queue).length);
      expect(counted).toEqual(perQueue);
      expect(Math.min(...counted)).toBeGreaterThan(0);
    });

    it('keeps each flow on one queue, and the order in it', () => {
      for (let flow = 0; flow < SPREAD_FLOWS; flow++) {
        const mine = packets.filter((packet) => packet.flow.sourcePort === portOf(flow));
        const sent = Array.from({ length: COUNT / SPREAD_FLOWS }, (_, turn) =>
          sizeOf(turn * SPREAD_FLOWS + flow),
        );
        expect(mine.map((packet) => packet.length - udpHeaders(packet))).toEqual(sent);
        expect(new Set(mine.map((packet) => packet.queue)).size).toBe(1);
      }
    });

    it('arrives by the interrupt of its poll, or says that there was none', () => {
      for (const packet of packets) {
        const caused = packet.how === 'own-irq' || packet.how === 'batch';
        expect(caused || packet.how === 'polled' || packet.how === 'repoll').toBe(true);
        expect(packet.stage).toBe(caused ? 'entry' : 'driver');
        const interrupted = packet.stages.entry !== undefined;
        expect(packet.irqCpu).toBe(interrupted ? cpuOfQueue.get(packet.queue as number) : undefined);
      }
      const first = packets.filter((packet) => packet.how === 'own-irq');
      expect(first.length).toBeGreaterThan(COUNT / 8);
      expect(first.every((packet) => packet.batch?.[0] === 1)).toBe(true);
    });
  });

  it('lets only the packets of one interrupt through, in the kernel', async () => {
    const irq = irqOfQueue.get(1) as number;
    const before = await queueCounters();
    const running = await GuestTrace.start(guest, 'eth0', '--irq', String(irq));
    await running.send(Array.from({ length: 1000 }, (_, index) => frame(index)));
    const { account, lines: trace } = await running.end();
    const after = await queueCounters();
    const sent = after.map((count, queue) => count - (before[queue] ?? 0));
    expect(account).toEqual(NOTHING_LOST);
    expect(new Set(trace.packets.map((packet) => packet.irq))).toEqual(new Set([irq]));
    expect(trace.packets.length).toBe(sent[1]);
    expect(sent[0]).toBeGreaterThan(0);
    // One record per packet and one per poll, and not one more: the other queue cost nothing.
    const polls = trace.packets.filter((packet) => packet.batch?.[0] === 1).length;
    expect(trace.summary.records).toBe(trace.packets.length + polls);
  });

  it('sees the interrupts that bpftrace sees, at the same times', async () => {
    const irqs = [...irqOfQueue.values()];
    const script = `
      kprobe:__common_interrupt { @at[cpu] = nsecs; @vector[cpu] = arg1; }
      tracepoint:irq:irq_handler_entry /${irqs.map((irq) => `args->irq == ${irq}`).join(' || ')}/ {
        printf("hit %d %d %llu %llu %d\\n", args->irq, cpu, @at[cpu], nsecs, @vector[cpu]);
      }
      BEGIN { printf("ready\\n"); }`;
    const witness = guest.start(['bpftrace', '-B', 'line', '-e', script]);
    for await (const line of witness.lines()) if (line === 'ready') break;
    type Hit = [irq: number, cpu: number, entry: number, isr: number, vector: number];
    const printed: Hit[] = [];
    const printing = (async () => {
      for await (const line of witness.lines())
        if (line.startsWith('hit ')) printed.push(line.split(' ').slice(1).map(Number) as Hit);
    })();
    const running = await GuestTrace.start(guest, 'eth0', '--interrupts');
    // Until there were so many interrupts: frames that come while the host does not run a CPU share one.
    const before = await interruptCount(guest, irqs);
    for (let round = 0; round < 10 && (await interruptCount(guest, irqs)) - before < 1000; round++)
      await running.send(
        Array.from({ length: 500 }, (_, index) => frame(index)),
        { burst: 1, gapUs: 3000 },
      );
    const { account, lines: trace } = await running.end();
    const last = Math.max(...trace.interrupts.map((one) => Number(one.time)));
    const first = Math.min(...trace.interrupts.map((one) => Number(one.time)));
    const within = (): Hit[] => printed.filter(([, , at]) => at >= first && at <= last + 5_000_000);
    // bpftrace prints seconds behind the events, CPU by CPU, and forgets what it has not printed when it is told to end.
    await settle(
      async () => within().length,
      (count) => count >= trace.interrupts.length,
    );
    witness.kill('SIGINT');
    await witness.wait();
    await printing;
    const hits = within().sort((a, b) => a[1] - b[1] || a[2] - b[2]);
    expect(account).toEqual(NOTHING_LOST);
    // CPU by CPU: two CPUs may take interrupts at the same time, and the tools stamp them at different points.
    const seen = [...trace.interrupts].sort((a, b) => a.cpu - b.cpu || Number(a.time) - Number(b.time));
    expect(seen.map(({ irq, cpu, vector }) => [irq, cpu, vector])).toEqual(
      hits.map(([irq, cpu, , , vector]) => [irq, cpu, vector]),
    );
    expect(seen.length).toBeGreaterThan(900);
    const apart = seen.map((one, index) =>
      Math.abs(Number(one.time) + (one.claim ?? 0) - (hits[index]?.[2] ?? 0)),
    );
    apart.sort((a, b) => a - b);
    const median = apart[Math.floor(apart.length / 2)] as number;
    toStderr(`entry against bpftrace's kprobe: median ${median} ns apart, most ${apart.at(-1)} ns`);
    // Two hooks on one function run one behind the other: apart by what one of them costs in this emulator.
    expect(median).toBeLessThan(50_000);
  });
});
