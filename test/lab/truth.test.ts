/**
 * Arrivals against the truth: QEMU's own trace says when the emulated NIC wrote each descriptor, on the host's clock; a
 * probe in the guest relates the clocks with a proven error. No packet may be outside its bounds by more than that.
 *
 * 20,000 packets per NIC: spaced, in bursts of 100, and in floods.
 */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ClockFit, fitClocks } from '../../lab/clock-fit.js';
import { SINK_PORT, sequencePayload, udpFrame } from '../../lab/frames.js';
import { Guest } from '../../lab/guest.js';
import type { Sent } from '../../lab/inject.js';
import {
  type NicArrival,
  TRACE_STEP_NS,
  TRUTH_EVENTS,
  nicArrivals,
  statusReads,
} from '../../lab/nic-truth.js';
import { parseQemuTrace } from '../../lab/qemu-trace.js';
import type { Running } from '../../lab/running.js';
import { toStderr } from '../../lab/progress.js';
import { compile, noCompiler } from '../support/compile.js';
import { type PacketLine, type TraceLines, readTrace } from './ndjson.js';

const ROUNDS = process.env['RXSTAMP_LONG'] === '1' ? 10 : 1;
const FLOWS = 8;
/** Sizes walk through this many values, so that a packet's length tells its place in the order. */
const SIZES = 997;
const ETHERNET = 14;
/** The fit's error on a machine that is not overwhelmed; a probe that never got through would show here. */
const WORST_FIT_NS = 20_000;

const frame = (index: number): Buffer =>
  udpFrame({
    sourcePort: 1000 + (index % FLOWS),
    port: SINK_PORT,
    payload: sequencePayload(index, 20 + (index % SIZES)),
  });

/** A packet and when it really came. */
interface Pair {
  readonly packet: PacketLine;
  readonly arrival: NicArrival;
  /** Span of the guest's clock in which its descriptor was written. */
  readonly from: number;
  readonly to: number;
}

async function startProbe(guest: Guest): Promise<Running> {
  const probe = guest.start([compile('test/support/clock-probe.c'), '20', '4']);
  for await (const line of probe.lines()) if (line === 'ready') return probe;
  throw new Error(`the probe ended: ${(await probe.wait()).stderr}`);
}

async function startTrace(guest: Guest): Promise<Running> {
  const running = guest.start(['node', 'dist/src/cli/main.js', 'trace', 'eth0', '--format', 'ndjson']);
  for await (const line of running.lines()) if (line.startsWith('{"type":"meta"')) return running;
  throw new Error(`the trace ended before it began: ${(await running.wait()).stderr}`);
}

/** Waits until the guest has taken all frames sent so far. */
async function settle(guest: Guest): Promise<void> {
  for (let last = ''; ; ) {
    const now = await guest.shell('cat /sys/class/net/eth0/statistics/rx_packets');
    if (now === last) return;
    last = now;
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
}

/** 20,000 frames at mixed rates. The floods fit the NIC's rings, whatever the guest is doing. */
async function sendAll(guest: Guest, round: number): Promise<number> {
  const frames = Array.from({ length: 20_000 }, (_, index) => frame(round * 20_000 + index));
  const sent: Sent[] = [];
  sent.push(await guest.injector.send(frames.slice(0, 6000), { gapUs: 1000 }));
  for (let at = 6000; at < 12_000; at += 1000) {
    sent.push(await guest.injector.send(frames.slice(at, at + 1000), { burst: 100, gapUs: 40_000 }));
  }
  for (let at = 12_000; at < 20_000; at += 2000) {
    await settle(guest);
    sent.push(await guest.injector.send(frames.slice(at, at + 2000), { burst: 64 }));
  }
  await settle(guest);
  return sent.reduce((sum, { count }) => sum + count, 0);
}

const middle = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

describe.skipIf(noCompiler !== undefined).each(['igb,queues=2', 'e1000e'])('%s on 6.12', (nic) => {
  const guest = new Guest({ kernel: '6.12', nic, cpus: 2, trace: [...TRUTH_EVENTS] });
  let sent = 0;
  let trace: TraceLines;
  let fit: ClockFit;
  let truth: readonly NicArrival[];
  const pairs: Pair[] = [];
  /** Guest times relative to the first arrival: exact in doubles. */
  let base = 0n;
  const relative = (time: bigint): number => Number(time - base);

  beforeAll(async () => {
    await guest.boot();
    // Room for a flood: a full ring makes the NIC drop, which is no business of this test.
    await guest.shell(
      'ethtool -G eth0 rx 4096; for i in $(seq 100); do [ "$(cat /sys/class/net/eth0/carrier)" = 1 ] && break; sleep 0.1; done; sleep 0.5',
    );
    const probe = await startProbe(guest);
    const running = await startTrace(guest);
    for (let round = 0; round < ROUNDS; round++) sent += await sendAll(guest, round);
    running.kill('SIGINT');
    trace = readTrace((await running.wait()).stdout);
    probe.kill('SIGTERM');
    const { stdout } = await probe.wait();
    const events = parseQemuTrace(readFileSync(guest.traceLog, 'utf8'));
    // The others need the machine, and the sums below take a while.
    await guest.close();
    const readings = [...stdout.matchAll(/^(\d+) (\d+)$/gm)].map(
      ([, from = '', to = '']) => [BigInt(from), BigInt(to)] as const,
    );
    // The guest's own driver reads the port too, but only while it boots and when it powers off.
    const reads = statusReads(events).slice(-readings.length);
    fit = fitClocks(
      readings.map(([guestFrom, guestTo], index) => {
        const hostFrom = reads[index] ?? 0n;
        return { guestFrom, guestTo, hostFrom, hostTo: hostFrom + TRACE_STEP_NS };
      }),
    );
    truth = nicArrivals(events);
    base = BigInt(trace.packets[0]?.arrival ?? 0);
    for (const queue of new Set(truth.map((one) => one.queue))) {
      const given = truth.filter((one) => one.queue === queue);
      const seen = trace.packets.filter((packet) => (packet.queue ?? 0) === queue);
      seen.slice(0, given.length).forEach((packet, index) => {
        const arrival = given[index] as NicArrival;
        const from = relative(fit.toGuest(arrival.from).from);
        pairs.push({ packet, arrival, from, to: relative(fit.toGuest(arrival.to).to) });
      });
    }
  });
  afterAll(() => guest.close());

  it('relates the clocks', () => {
    const widths = middle(pairs.map(({ arrival }) => Number(arrival.to - arrival.from)));
    toStderr(
      `${nic}: clocks: ${fit.sightings} readings, ${fit.ppm.toFixed(3)} ppm, error ${Math.round(fit.errorNs)} ns (widened by ${fit.wideningNs.toFixed(0)} ns); a descriptor's time is known within ${widths} ns (median)`,
    );
    expect(fit.sightings).toBeGreaterThan(500);
    expect(fit.wideningNs).toBeLessThan(100);
    expect(fit.errorNs).toBeLessThan(WORST_FIT_NS);
  });

  it('gives each packet that the NIC gave, in its order, and no other', () => {
    expect({ sent, given: truth.length, lost: trace.summary.lost }).toEqual({
      sent: 20_000 * ROUNDS,
      given: sent,
      lost: 0,
    });
    expect(trace.packets.length).toBe(sent);
    expect(pairs.length).toBe(sent);
    const strangers = pairs.filter(({ packet, arrival }) => packet.length + ETHERNET !== arrival.length);
    expect(strangers).toEqual([]);
  });

  it('stamps no packet at the driver stage before it arrived', () => {
    const early = pairs.filter(
      ({ packet, from }) => relative(BigInt(packet.arrival)) + (packet.stages.driver ?? 0) < from,
    );
    expect(early).toEqual([]);
  });

  it('tells how far arrivals are from the truth', () => {
    const count = (how: string): number => pairs.filter(({ packet }) => packet.how === how).length;
    for (const how of new Set(pairs.map(({ packet }) => packet.how))) {
      const members = pairs.filter(({ packet }) => packet.how === how);
      const late = members.map(({ packet, from, to }) => relative(BigInt(packet.arrival)) - (from + to) / 2);
      toStderr(
        `${nic}: ${how}: ${members.length} packets, arrival - truth: median ${(middle(late) / 1000).toFixed(1)} µs`,
      );
    }
    expect(count('own-irq')).toBeGreaterThan(1000);
    expect(count('batch')).toBeGreaterThan(1000);
  });
});
