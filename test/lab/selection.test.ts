/**
 * Filters that choose packets: what they let through, what they stop, and that what they stop takes no room. The witness
 * is a second trace beside the filtered one, without a filter: both see the same polls.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SINK_PORT, sequencePayload, udpFrame } from '../../lab/frames.js';
import { Guest } from '../../lab/guest.js';
import { startSink } from '../../lab/sink.js';
import type { Running } from '../../lab/running.js';
import { type PacketLine, type TraceLines, readTrace } from './ndjson.js';

const CLI = ['node', 'dist/src/cli/main.js'];
const COUNT = 480;

/** Frame `index`: its length tells which one it is. */
const frame = (index: number): Buffer =>
  udpFrame({ sourcePort: 1000, port: SINK_PORT, payload: sequencePayload(index, 20 + index) });
const frames = (): Buffer[] => Array.from({ length: COUNT }, (_, index) => frame(index));
const ours = (packet: PacketLine): boolean => packet.flow.destinationPort === SINK_PORT;

async function startTrace(guest: Guest, ...args: string[]): Promise<Running> {
  const running = guest.start([...CLI, 'trace', 'eth0', '--format', 'ndjson', ...args]);
  for await (const line of running.lines()) {
    if (line.startsWith('{"type":"meta"')) return running;
  }
  const { stderr } = await running.wait();
  throw new Error(`the trace ended before it began: ${stderr}`);
}

async function finish(running: Running): Promise<TraceLines> {
  running.kill('SIGINT');
  const { code, stdout } = await running.wait();
  expect(code).toBe(0);
  return readTrace(stdout);
}

async function settle(guest: Guest): Promise<void> {
  for (let last = -1; ; ) {
    const { stdout } = await guest.run(['cat', '/sys/class/net/eth0/statistics/rx_packets']);
    if (Number(stdout) === last) return;
    last = Number(stdout);
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
}

/** Time from one stage to another, ns; undefined where one of them is missing. */
function between(packet: PacketLine, from: 'isr', to: 'driver' | 'stack'): number | undefined {
  const [start, end] = [packet.stages[from], packet.stages[to]];
  return start === undefined || end === undefined ? undefined : end - start;
}

describe('packets chosen on 6.12 with a two-queue igb', () => {
  const guest = new Guest({ kernel: '6.12', nic: 'igb,queues=2', cpus: 2 });

  beforeAll(() => guest.boot());
  afterAll(() => guest.close());

  /** Traces the same frames twice at once: whole, and with a filter. */
  async function both(...filter: string[]): Promise<{ all: TraceLines; chosen: TraceLines }> {
    const whole = await startTrace(guest, '--until', 'stack');
    const filtered = await startTrace(guest, ...filter);
    // Bursts, so that polls have several packets, and the later ones of a poll are slower.
    await guest.injector.send(frames(), { burst: 8, gapUs: 4000 });
    await settle(guest);
    const chosen = await finish(filtered);
    return { all: await finish(whole), chosen };
  }

  it('by their time up to the driver stage are chosen in the kernel: the others are counted, keep their place in the poll, and cost no room', async () => {
    const first = await startTrace(guest);
    await guest.injector.send(frames(), { burst: 8, gapUs: 4000 });
    await settle(guest);
    const times = (await finish(first)).packets.flatMap((packet) => between(packet, 'isr', 'driver') ?? []);
    const limit = times.sort((a, b) => a - b)[Math.floor(times.length / 2)] as number;

    const { all, chosen } = await both('--slower-than', `isr..driver=${limit}ns`);
    const shown = chosen.packets;
    const { summary } = chosen;
    expect(shown.filter((packet) => !((between(packet, 'isr', 'driver') ?? 0) > limit))).toEqual([]);
    // About half of them in the run before; both kinds must be there for what follows to mean anything.
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
  }, 60_000);

  it('by their time to a stage behind it are chosen when their way is known', async () => {
    const { all, chosen } = await both('--slower-than', 'isr..stack=1h');
    expect([chosen.packets.length, chosen.summary.packets]).toEqual([0, 0]);
    const { faster = 0, unstamped = 0 } = chosen.summary.stopped ?? {};
    expect(faster + unstamped).toBe(chosen.summary.seen);
    expect(faster).toBeGreaterThanOrEqual(
      all.packets.filter((packet) => ours(packet) && between(packet, 'isr', 'stack') !== undefined).length,
    );
    expect(chosen.summary.seen).toBeGreaterThanOrEqual(COUNT);
  }, 60_000);

  it('in the kernel cost no room at any later stage either', async () => {
    const running = await startTrace(guest, '--slower-than', 'isr..driver=1h', '--until', 'drop');
    await guest.injector.send(frames().slice(0, 200), { burst: 8, gapUs: 4000 });
    await settle(guest);
    const { packets, summary } = await finish(running);
    expect([packets.length, summary.records, summary.lost]).toEqual([0, 0, 0]);
    expect(summary.seen).toBeGreaterThanOrEqual(200);
  }, 60_000);

  it('by process are those that it read; who read the others is told', async () => {
    const ports = [SINK_PORT, SINK_PORT - 1] as const;
    const closed = SINK_PORT - 2;
    const sinks = [await startSink(guest, { port: ports[0] }), await startSink(guest, { port: ports[1] })];
    const { stdout } = await guest.run(['pgrep', '-f', `udp-sink.js ${ports[0]}`]);
    const pid = Number(stdout.trim().split('\n')[0]);
    const running = await startTrace(guest, '--pid', String(pid));
    const to = [...ports, closed];
    const mixed = Array.from({ length: 600 }, (_, index) =>
      udpFrame({
        sourcePort: 1000,
        port: to[index % 3] as number,
        payload: sequencePayload(index, 20 + index),
      }),
    );
    await guest.injector.send(mixed, { burst: 3, gapUs: 4000 });
    await settle(guest);
    await new Promise((resolve) => setTimeout(resolve, 500));
    const { packets, summary } = await finish(running);
    const counts = await Promise.all(sinks.map((sink) => sink.stop()));
    expect(counts.map((count) => count.received)).toEqual([200, 200]);
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
    expect(summary.lost).toBe(0);
  }, 60_000);
});
