/**
 * Filters that choose packets: what they let through, what they stop, and that what they stop takes no room. The witness
 * is a second trace beside the filtered one, without a filter: both see the same polls.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SINK_PORT, sequencePayload, udpFrame } from '../../lab/frames.js';
import { Guest } from '../../lab/guest.js';
import { toStderr } from '../../lab/progress.js';
import { startSink } from '../../lab/sink.js';
import { GuestTrace, NOTHING_LOST, moveInterrupts } from './guest-trace.js';
import type { PacketLine, TraceLines } from './ndjson.js';

/** The first half comes one by one, the second in bursts: in one poll the last ones of these are many times later. */
const COUNT = 480;
const LONE = COUNT / 2;
const BURST = 60;

/** Frame `index`: its length tells which one it is. */
const frame = (index: number): Buffer =>
  udpFrame({ sourcePort: 1000, port: SINK_PORT, payload: sequencePayload(index, 20 + index) });
const frames = (): Buffer[] => Array.from({ length: COUNT }, (_, index) => frame(index));
const ours = (packet: PacketLine): boolean => packet.flow.destinationPort === SINK_PORT;

async function finish(trace: GuestTrace): Promise<TraceLines> {
  const { account, lines } = await trace.end();
  expect(account).toEqual(NOTHING_LOST);
  return lines;
}

/** Time from one stage to another, ns; undefined where one of them is missing. */
function between(packet: PacketLine, from: 'isr', to: 'driver' | 'stack'): number | undefined {
  const [start, end] = [packet.stages[from], packet.stages[to]];
  return start === undefined || end === undefined ? undefined : end - start;
}

describe('packets chosen on 6.12 with a two-queue igb', () => {
  const guest = new Guest({ kernel: '6.12', nic: 'igb,queues=2', cpus: 2 });

  beforeAll(async () => {
    await guest.boot();
    await moveInterrupts(guest, 1);
  });
  afterAll(() => guest.close());

  /** The trace and the readers on CPU 0, the NIC's interrupts on CPU 1: where an interrupt meets a program at work, the
   * kernel skips it, and that is a loss. */
  const keepApart = (): Promise<string> =>
    guest.shell('for pid in $(pgrep -x node); do taskset -apc 0 $pid; done');

  /** Traces the same frames twice at once: whole, and with a filter. */
  async function both(...filter: string[]): Promise<{ all: TraceLines; chosen: TraceLines }> {
    const whole = await GuestTrace.start(guest, 'eth0', '--until', 'stack');
    const filtered = await GuestTrace.start(guest, 'eth0', ...filter);
    await whole.send(frames().slice(0, LONE), { burst: 1, gapUs: 2000 });
    await whole.send(frames().slice(LONE), { burst: BURST, gapUs: 20_000 });
    const chosen = await finish(filtered);
    return { all: await finish(whole), chosen };
  }

  it('by their time up to the driver stage are chosen in the kernel: the others are counted, keep their place in the poll, and cost no room', async () => {
    // The same two traces as below, so that they cost the packets the same time: all are shown. Between what the fastest
    // of those that come one by one need and the middle of a burst, which is some multiples of it: nearer to that, because
    // the end of a burst is as far beyond its middle again. So the machine may be several times as slow then as now, or
    // as fast, and both kinds are still there. Places in the order, no means: a CPU that was not run for seconds counts
    // like any other.
    const { packets } = (await both('--slower-than', 'isr..driver=1ns')).chosen;
    const times = packets.flatMap((packet) => between(packet, 'isr', 'driver') ?? []).sort((a, b) => a - b);
    const at = (share: number): number => times[Math.floor(times.length * share)] as number;
    const limit = Math.round(Math.cbrt(at(0.05) * at(0.75) ** 2));
    toStderr(`isr..driver: ${[0.05, 0.25, 0.5, 0.75, 0.95].map(at).join(', ')} ns; limit ${limit} ns`);

    const { all, chosen } = await both('--slower-than', `isr..driver=${limit}ns`);
    const shown = chosen.packets;
    const { summary } = chosen;
    expect(shown.filter((packet) => !((between(packet, 'isr', 'driver') ?? 0) > limit))).toEqual([]);
    // Both kinds must be there for what follows to mean anything.
    expect(shown.length).toBeGreaterThan(COUNT / 20);
    expect(summary.seen - shown.length).toBeGreaterThan(COUNT / 20);

    const sent = all.packets.filter(ours);
    expect(sent.length).toBe(COUNT);
    const { faster = 0, unstamped = 0, ...other } = summary.stopped ?? {};
    expect(summary.seen).toBe(shown.length + faster + unstamped);
    expect(Object.values(other).filter((count) => count !== 0)).toEqual([]);
    expect([summary.packets, summary.lost]).toEqual([shown.length, 0]);
    // The other trace ran longer, at both ends.
    expect(summary.seen).toBeGreaterThanOrEqual(COUNT);
    expect(summary.seen).toBeLessThanOrEqual(all.packets.length);

    // k of n is what the unfiltered trace says, packet by packet.
    const whole = new Map(sent.map((packet) => [packet.length, packet]));
    for (const packet of shown.filter(ours)) expect(packet.batch).toEqual(whole.get(packet.length)?.batch);
    expect(shown.some((packet) => (packet.batch?.[0] ?? 0) > 1)).toBe(true);

    // A poll's interrupt is one, its packets come one after the other: behind one that is late, all are.
    const polls = new Map<string, number[]>();
    for (const { stages, arrival, batch, cpu } of shown) {
      const key = `${cpu}/${BigInt(arrival) + BigInt(stages.isr ?? 0)}/${batch?.[1]}`;
      polls.set(key, [...(polls.get(key) ?? []), batch?.[0] ?? 0]);
    }
    for (const [key, places] of polls) {
      const n = Number(key.split('/')[2]);
      expect(places).toEqual(Array.from({ length: places.length }, (_, i) => n - places.length + 1 + i));
    }
    // One record per packet that is shown and one per poll of such packets: the others left nothing.
    expect(summary.records).toBe(shown.length + polls.size);
  });

  it('by their time to a stage behind it are chosen when their way is known', async () => {
    const { all, chosen } = await both('--slower-than', 'isr..stack=1h');
    expect([chosen.packets.length, chosen.summary.packets]).toEqual([0, 0]);
    const { faster = 0, unstamped = 0 } = chosen.summary.stopped ?? {};
    expect(faster + unstamped).toBe(chosen.summary.seen);
    expect(faster).toBeGreaterThanOrEqual(
      all.packets.filter((packet) => ours(packet) && between(packet, 'isr', 'stack') !== undefined).length,
    );
    expect(chosen.summary.seen).toBeGreaterThanOrEqual(COUNT);
  });

  it('in the kernel cost no room at any later stage either', async () => {
    const running = await GuestTrace.start(
      guest,
      'eth0',
      '--slower-than',
      'isr..driver=1h',
      '--until',
      'drop',
    );
    await keepApart();
    await running.send(frames().slice(0, 200), { burst: 8, gapUs: 4000 });
    const { packets, summary } = await finish(running);
    expect([packets.length, summary.records, summary.lost]).toEqual([0, 0, 0]);
    expect(summary.seen).toBeGreaterThanOrEqual(200);
  });

  it('by process are those that it read; who read the others is told', async () => {
    const ports = [SINK_PORT, SINK_PORT - 1] as const;
    const closed = SINK_PORT - 2;
    const count = 200;
    const sinks = [
      await startSink(guest, { port: ports[0], count }),
      await startSink(guest, { port: ports[1], count }),
    ];
    const { stdout } = await guest.run(['pgrep', '-f', `udp-sink.js ${ports[0]}`]);
    const pid = Number(stdout.trim().split('\n')[0]);
    // A reader that the host does not run for a second still reads in time.
    const running = await GuestTrace.start(guest, 'eth0', '--pid', String(pid), '--wait', '8s');
    const to = [...ports, closed];
    const mixed = Array.from({ length: 600 }, (_, index) =>
      udpFrame({
        sourcePort: 1000,
        port: to[index % 3] as number,
        payload: sequencePayload(index, 20 + index),
      }),
    );
    await keepApart();
    await running.send(mixed, { burst: 3, gapUs: 4000 });
    const counts = await Promise.all(sinks.map((sink) => sink.wait()));
    const { packets, summary } = await finish(running);
    expect(counts.map(({ received }) => received)).toEqual([count, count]);
    // Which ones they are: every third datagram, told by its size.
    const sizes = packets.map((packet) => packet.length - 28);
    expect(sizes).toEqual(Array.from({ length: 200 }, (_, index) => 20 + index * 3));
    const wrong = packets.filter(
      ({ fate, reader, flow, length }) =>
        fate !== 'read' ||
        reader?.pid !== pid ||
        reader.bytes !== length - 28 ||
        flow.destinationPort !== SINK_PORT,
    );
    expect(wrong).toEqual([]);
    expect(summary.packets).toBe(200);
    expect(summary.stopped).toMatchObject({ otherReader: 200, unread: summary.seen - 400 });
    expect(summary.seen).toBeGreaterThanOrEqual(600);
  });
});
