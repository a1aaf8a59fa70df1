/**
 * Arrivals against the truth: QEMU's own trace says when the emulated NIC made each frame visible to the guest, on the
 * host's clock; a probe in the guest relates the clocks with a proven error. No packet may be outside its bounds by more
 * than that.
 *
 * 20,000 packets per NIC: spaced, in bursts of 100, and in floods. RXSTAMP_LONG=1: ten times as many, and e1000e too.
 */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ClockFit } from '../../lab/clock-fit.js';
import { SINK_PORT, sequencePayload, udpFrame } from '../../lab/frames.js';
import { Guest } from '../../lab/guest.js';
import { type NicArrival, TRUTH_EVENTS, nicArrivals, queueWith } from '../../lab/nic-truth.js';
import { parseQemuTrace } from '../../lab/qemu-trace.js';
import { toStderr } from '../../lab/progress.js';
import { noCompiler } from '../support/compile.js';
import { titled } from '../support/titled.js';
import { ClockProbe, fitReadings } from './clock-probe.js';
import { GuestTrace } from './guest-trace.js';
import type { PacketLine, TraceLines } from './ndjson.js';
import { cannotBoot } from './needs.js';

const LONG = process.env['RXSTAMP_LONG'] === '1';
const ROUNDS = LONG ? 10 : 1;
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
  /** Relative to the first arrival, in the guest's clock, ns: the truth lies between them, the fit's error included. */
  readonly from: number;
  readonly to: number;
  readonly arrival: number;
}

/** 20,000 frames at mixed rates. The floods fit the NIC's rings, whatever the guest is doing. */
async function sendAll(trace: GuestTrace, round: number): Promise<number> {
  const frames = Array.from({ length: 20_000 }, (_, index) => frame(round * 20_000 + index));
  const spaced = await trace.send(frames.slice(0, 6000), { burst: 1, gapUs: 1000 });
  const bursts = await trace.send(frames.slice(6000, 12_000), { burst: 100, gapUs: 40_000 });
  let count = spaced.count + bursts.count;
  for (let at = 12_000; at < 20_000; at += 2000)
    count += (await trace.send(frames.slice(at, at + 2000), { burst: 64, gapUs: 0 })).count;
  return count;
}

/** Room for a flood: a full ring makes an Intel NIC drop, which is no business of this test. */
const BIGGER_RING = `ethtool -G eth0 rx 4096
for i in $(seq 100); do [ "$(cat /sys/class/net/eth0/carrier)" = 1 ] && break; sleep 0.1; done; sleep 0.5`;

const middle = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
const micros = (ns: number): string => `${(ns / 1000).toFixed(1)} µs`;

const NICS = [
  { nic: 'igb,queues=2', before: BIGGER_RING, header: 0 },
  { nic: 'e1000e', before: BIGGER_RING, header: 0, long: true },
  // Its ring needs no room: the tap waits. And its receive interrupts can be certain: nothing else raises them.
  { nic: 'virtio,queues=2', before: 'true', header: 12 },
];

for (const { nic, before, header, long = false } of NICS) {
  const why = noCompiler ?? cannotBoot(nic) ?? (long && !LONG ? 'with RXSTAMP_LONG=1' : undefined);
  describe.skipIf(why !== undefined)(titled(`${nic} on 6.12`, why), () => {
    const guest = new Guest({ kernel: '6.12', nic, cpus: 2, trace: [...TRUTH_EVENTS] });
    let sent = 0;
    let trace: TraceLines;
    let fit: ClockFit;
    const pairs: Pair[] = [];
    /** Per queue of the trace: packets there, and whether the NIC gave exactly these to one of its queues. */
    const matched: { readonly queue: number; readonly packets: number; readonly found: boolean }[] = [];

    beforeAll(async () => {
      await guest.boot();
      await guest.shell(before);
      const probe = await ClockProbe.start(guest);
      const running = await GuestTrace.start(guest, 'eth0');
      for (let round = 0; round < ROUNDS; round++) sent += await sendAll(running, round);
      trace = (await running.end()).lines;
      const readings = await probe.end();
      const events = parseQemuTrace(readFileSync(guest.traceLog, 'utf8'));
      // The others need the machine, and the sums below take a while.
      await guest.close();
      fit = fitReadings(readings, events);
      const truth = nicArrivals(events);
      const base = BigInt(trace.packets[0]?.arrival ?? 0);
      for (const queue of new Set(trace.packets.map((packet) => packet.queue ?? 0))) {
        const packets = trace.packets.filter((packet) => (packet.queue ?? 0) === queue);
        const given = queueWith(
          truth,
          packets.map((packet) => packet.length + ETHERNET + header),
        );
        matched.push({ queue, packets: packets.length, found: given !== undefined });
        packets.forEach((packet, index) => {
          const one: NicArrival | undefined = given?.[index];
          if (one === undefined) return;
          const from = Number(fit.toGuest(one.from).from - base);
          const to = Number(fit.toGuest(one.to).to - base);
          pairs.push({ packet, from, to, arrival: Number(BigInt(packet.arrival) - base) });
        });
      }
    });
    afterAll(() => guest.close());

    it('relates the clocks', () => {
      toStderr(
        `${nic}: clocks: ${fit.sightings} readings, ${fit.ppm.toFixed(3)} ppm, error ${Math.round(fit.errorNs)} ns, widened by ${fit.wideningNs.toFixed(0)} ns`,
      );
      expect(fit.sightings).toBeGreaterThan(500);
      expect(fit.wideningNs).toBeLessThan(100);
      expect(fit.errorNs).toBeLessThan(WORST_FIT_NS);
    });

    it('gives each packet that the NIC gave, in its order, and no other', () => {
      const { packetsLost } = trace.summary;
      const { losses } = trace;
      // A hook that the kernel skipped costs an interrupt's tie to its poll, not a packet.
      if (losses.length > 0) toStderr(`${nic}: ${JSON.stringify(losses)}`);
      expect({ sent, packets: trace.packets.length, packetsLost }).toEqual({
        sent: 20_000 * ROUNDS,
        packets: sent,
        packetsLost: 0,
      });
      expect(matched.filter(({ found }) => !found)).toEqual([]);
      expect(pairs.length).toBe(sent);
    });

    it('has every arrival within its bounds', () => {
      const early = pairs.filter(
        ({ packet, arrival, to }) => packet.notBefore !== null && to < arrival + packet.notBefore,
      );
      const late = pairs.filter(({ packet, arrival, from }) => from > arrival + packet.notAfter);
      toStderr(
        `${nic}: ${pairs.length} packets, ${early.length} before and ${late.length} after their bounds`,
      );
      const tell = ({ packet, from, to, arrival }: Pair) => ({
        number: packet.number,
        how: packet.how,
        ground: packet.ground,
        batch: packet.batch,
        notBefore: packet.notBefore,
        notAfter: packet.notAfter,
        truth: [from - arrival, to - arrival],
      });
      expect({ early: early.slice(0, 5).map(tell), late: late.slice(0, 5).map(tell) }).toEqual({
        early: [],
        late: [],
      });
    });

    it('tells how far arrivals are from the truth', () => {
      const kind = ({ packet }: Pair): string => `${packet.how}${packet.certain ? '' : ' (probable)'}`;
      for (const how of [...new Set(pairs.map(kind))].sort()) {
        const members = pairs.filter((pair) => kind(pair) === how);
        const late = middle(members.map(({ arrival, from }) => arrival - from));
        const widths = members.flatMap(({ packet }) =>
          packet.notBefore === null ? [] : [packet.notAfter - packet.notBefore],
        );
        const tooEarly = members.filter(({ arrival, from }) => arrival < from).length;
        const width = widths.length === 0 ? 'none has a lower one' : `median width ${micros(middle(widths))}`;
        toStderr(
          `${nic}: ${how}: ${members.length} packets, ${tooEarly} stamped before they came, arrival - truth: median ${micros(late)}; bounds: ${width}`,
        );
      }
      // A packet without a lower bound cannot be early: the test above would say nothing about it.
      const bounded = pairs.filter(({ packet }) => packet.notBefore !== null);
      toStderr(`${nic}: ${bounded.length} of ${pairs.length} packets have a lower bound`);
      expect(bounded.length).toBeGreaterThan(0.9 * pairs.length);
      const count = (how: string): number => pairs.filter(({ packet }) => packet.how === how).length;
      expect(count('own-irq')).toBeGreaterThan(1000);
      expect(count('batch')).toBeGreaterThan(1000);
    });
  });
}
