/**
 * The NIC's own stamps on igb, which in QEMU stamps one PTP frame after each reset of the device. Witnesses: a C program
 * that gets the same stamps from a socket and reads the clocks itself; the time at which the frame was sent; QEMU's own
 * trace of when it had written the frame.
 */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ClockFit } from '../../lab/clock-fit.js';
import { ptpSyncFrame, udpFlows } from '../../lab/frames.js';
import { Guest } from '../../lab/guest.js';
import { TRACE_STEP_NS, TRUTH_EVENTS } from '../../lab/nic-truth.js';
import { toStderr } from '../../lab/progress.js';
import { parseQemuTrace, realtimeOffset } from '../../lab/qemu-trace.js';
import type { Finished, Running } from '../../lab/running.js';
import { framesReceived, sendCounted, settle, startTrace } from '../../lab/trace-in-guest.js';
import { WANDER } from '../../src/record/hardware-clock.js';
import type { DoctorDocument } from '../../src/feature/doctor.js';
import { compile, noCompiler } from '../support/compile.js';
import { titled } from '../support/titled.js';
import { ClockProbe, fitReadings } from './clock-probe.js';
import { carrierOf } from './guest-trace.js';
import { type PacketLine, type TraceLines, readTrace } from './ndjson.js';

const CLI = ['node', 'dist/src/cli/main.js'];
const REARMS = 5;
const PTP_SYNC_V1 = 4;
const PTP_V2_EVENT = 12;
const STEP_NS = 5_000_000;
/** Error of a stamp whose clock was read right behind it. */
const READING_NS = 50_000;
/** The trace reads the NIC's clock so often. */
const READ_EVERY_MS = 1000;
/** Half the distance of two readings, where the trace's process was not run for some seconds when the second was due. */
const FAR_NS = 2e9;

type HwPacket = PacketLine & {
  readonly notBefore: number;
  readonly notAfter: number;
  readonly software?: { readonly notBefore: number | null; readonly notAfter: number };
};

/** One frame right after a reset: the one that the NIC stamps. */
interface Shot {
  /** Host CLOCK_REALTIME before it was sent, ns. */
  readonly sent: bigint;
  /** The witness's clock readings around it: CLOCK_MONOTONIC, NIC, CLOCK_MONOTONIC. */
  readonly clocks: readonly (readonly bigint[])[];
}

describe.skipIf(noCompiler !== undefined)(titled('hardware timestamps of igb on 6.12', noCompiler), () => {
  const guest = new Guest({
    kernel: '6.12',
    nic: 'igb,queues=2',
    cpus: 2,
    modules: ['veth'],
    trace: [...TRUTH_EVENTS],
  });
  let witness = '';
  beforeAll(async () => {
    witness = compile('test/support/hw-witness.c');
    await guest.boot();
  });
  afterAll(() => guest.close());

  /** The filter as the driver tells the witness. */
  async function filter(set?: number): Promise<number> {
    const more = set === undefined ? [] : [String(set)];
    const { code, stdout } = await guest.run([witness, 'filter', 'eth0', ...more]);
    expect(code).toBe(0);
    return Number(stdout.split(' ')[0]);
  }

  const start = (...words: string[]): Promise<Running> => startTrace(guest, ['eth0', ...words]);

  async function end(
    running: Running,
    signal: NodeJS.Signals = 'SIGINT',
  ): Promise<Finished & { readonly trace: TraceLines }> {
    running.kill(signal);
    const done = await running.wait();
    return { ...done, trace: readTrace(done.stdout) };
  }

  const clocks = async (): Promise<bigint[]> =>
    (await guest.shell(`${witness} clock /dev/ptp0`)).trim().split(' ').map(BigInt);

  /**
   * Resets the NIC: QEMU's igb then stamps the next PTP frame. That sets the clock too, and a stamp between the reset and
   * the trace's next reading of it could not be converted: returns when the trace has read it, as a packet shows that came
   * when this was due.
   */
  async function rearm(running: Running): Promise<void> {
    await guest.shell(`ip link set eth0 down; ip link set eth0 up; ${carrierOf('eth0')}`);
    await pause(READ_EVERY_MS);
    const shown = (): number => running.soFar.stdout.split('{"type":"packet"').length;
    const before = shown();
    await sendCounted(guest, udpFlows({ count: 1 }));
    await settle(
      async () => shown(),
      (now) => now > before,
    );
  }

  const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
  const isPtp = (packet: PacketLine): boolean => (packet.flow as { ethertype?: number }).ethertype === 0x88f7;

  describe(`${REARMS} frames, each after a reset`, () => {
    const shots: Shot[] = [];
    let done: Awaited<ReturnType<typeof end>>;
    let during = 0;
    let after = 0;
    /** What the socket got, by sequence number: the NIC's stamp, 0 for none. */
    let raw: ReadonlyMap<number, bigint>;
    let fit: ClockFit;
    let written: readonly bigint[];
    let packets: readonly HwPacket[];
    let stamped: readonly HwPacket[];

    beforeAll(async () => {
      const socket = guest.start([witness, 'listen']);
      for await (const line of socket.lines()) if (line === 'ready') break;
      const probe = await ClockProbe.start(guest);
      const running = await start('--hw-timestamps', '--until', 'stack');
      during = await filter();
      for (let shot = 0; shot < REARMS; shot++) {
        await rearm(running);
        const before = await clocks();
        const received = await framesReceived(guest);
        const sent = process.hrtime.bigint() + realtimeOffset();
        await guest.injector.send([ptpSyncFrame(10 * shot)]);
        await settle(
          () => framesReceived(guest),
          (count) => count > received,
        );
        shots.push({ sent, clocks: [before, await clocks()] });
        // Neither of these is stamped: the one because the NIC is spent, the other because it is no PTP. Both must have
        // come when the next reset throws away what has not.
        await sendCounted(guest, [ptpSyncFrame(10 * shot + 1), ...udpFlows({ count: 1 })], { gapUs: 5000 });
      }
      done = await end(running, 'SIGTERM');
      after = await filter();
      socket.kill('SIGTERM');
      const heard = (await socket.wait()).stdout;
      raw = new Map(
        [...heard.matchAll(/^(\d+) (\d+) \d+$/gm)].map(([, sequence, stamp = '0']) => [
          Number(sequence),
          BigInt(stamp),
        ]),
      );
      const readings = await probe.end();
      const events = parseQemuTrace(readFileSync(guest.traceLog, 'utf8'));
      fit = fitReadings(readings, events);
      const writes = events.filter((event) => event.name === 'e1000e_rx_written_to_guest');
      written = shots.map(({ sent }) => writes.find(({ time }) => time + TRACE_STEP_NS >= sent)?.time ?? 0n);
      packets = done.trace.packets as readonly HwPacket[];
      stamped = packets.filter((packet) => packet.stages.hw !== undefined);
    });

    it('give as many stamps, of just these frames, and the socket gets the same ones', () => {
      expect({ code: done.code, lost: done.trace.summary.lost, losses: done.trace.losses }).toEqual({
        code: 0,
        lost: 0,
        losses: [],
      });
      // Two that are no PTP with each.
      expect(packets.length).toBe(4 * REARMS);
      expect(stamped.length).toBe(REARMS);
      const order = packets.filter(isPtp).map((packet) => packet.stages.hw !== undefined);
      expect(order).toEqual(shots.flatMap(() => [true, false]));
      const heard = shots.flatMap((_, shot) => [raw.get(10 * shot), raw.get(10 * shot + 1)]);
      expect(heard.map((stamp) => stamp !== undefined && stamp > 0n)).toEqual(order);
    });

    it('are the arrivals, each with an error of some microseconds', () => {
      const errors = stamped.map((packet) => packet.notAfter);
      toStderr(
        `hw: errors ${errors.join(', ')} ns; before the entry ${stamped.map((one) => one.stages.entry).join(', ')} ns`,
      );
      for (const packet of stamped) {
        expect(packet.stage).toBe('hw');
        expect(packet.stages.hw).toBe(0);
        expect(packet.notBefore).toBe(-packet.notAfter);
        expect(packet.notAfter).toBeGreaterThan(0);
        expect(packet.notAfter).toBeLessThan(READING_NS + WANDER * FAR_NS);
      }
      const [, , usual] = errors.toSorted((a, b) => a - b);
      expect(usual).toBeLessThan(READING_NS);
      for (const packet of packets.filter((one) => !stamped.includes(one)))
        expect(packet.stage).not.toBe('hw');
    });

    it('are the socket’s stamps in the trace’s clock, by the witness’s own readings of both clocks', () => {
      for (const [shot, packet] of stamped.entries()) {
        const stamp = raw.get(10 * shot) as bigint;
        const [before, behind] = shots[shot]!.clocks.map(([from = 0n, nic = 0n, to = 0n]) => ({
          // The NIC's clock was read somewhere between the two.
          low: Number(from - nic + stamp - BigInt(packet.arrival)),
          high: Number(to - nic + stamp - BigInt(packet.arrival)),
        }));
        // Both clocks run evenly: the stamp lies between what the reading before it and the one behind it say.
        expect(Math.min(before!.low, behind!.low), `shot ${shot}`).toBeLessThanOrEqual(packet.notAfter);
        expect(Math.max(before!.high, behind!.high), `shot ${shot}`).toBeGreaterThanOrEqual(packet.notBefore);
      }
    });

    it('lie behind the sending of the frame and before QEMU had written it, and before the interrupt', () => {
      const late: number[] = [];
      for (const [shot, packet] of stamped.entries()) {
        const arrival = BigInt(packet.arrival);
        const error = BigInt(packet.notAfter);
        const sent = fit.toGuest(shots[shot]!.sent).from;
        const write = fit.toGuest(written[shot]! + TRACE_STEP_NS).to;
        late.push(Number(write - arrival));
        expect(arrival + error, `shot ${shot}`).toBeGreaterThanOrEqual(sent - 10_000n);
        expect(arrival - error, `shot ${shot}`).toBeLessThanOrEqual(write);
        expect(packet.stages.entry, `shot ${shot}`).toBeGreaterThan(packet.notBefore);
        expect(packet.stages.driver, `shot ${shot}`).toBeGreaterThan(0);
      }
      toStderr(
        `hw: written by QEMU ${late.join(', ')} ns later; clocks fitted to ±${Math.round(fit.errorNs)} ns`,
      );
    });

    it('lie within the bounds that the kernel’s stamps alone gave', () => {
      const whole = stamped.filter(({ software, notBefore, notAfter }) => {
        expect(software).toBeDefined();
        const [low, high] = [
          software?.notBefore ?? Number.NEGATIVE_INFINITY,
          software?.notAfter ?? Number.NaN,
        ];
        // The truth lies in both.
        expect(low).toBeLessThanOrEqual(notAfter);
        expect(high).toBeGreaterThanOrEqual(notBefore);
        return low <= notBefore && high >= notAfter;
      });
      // With all of its error where the clock was read soon: it grows until then.
      expect(whole.length).toBeGreaterThan(REARMS / 2);
      expect(stamped.filter(({ software }) => software?.notBefore !== null).length).toBeGreaterThan(0);
    });

    it('needed a change of the NIC, which was told, and undone on SIGTERM', () => {
      expect([during, after]).toEqual([PTP_V2_EVENT, 0]);
      // The resets are told in other lines: the link's, and the NIC's clock, which they set.
      const told = done.stderr.split('\n').filter((line) => line.startsWith('eth0: receive timestamps'));
      expect(told).toEqual([
        'eth0: receive timestamps changed from none to ptpv2-event for the time of this run',
        'eth0: receive timestamps put back from ptpv2-event to none',
      ]);
      expect(done.trace.meta.ways[0]).toMatchObject({
        stage: 'hw',
        hook: expect.stringMatching(
          /^the NIC stamps PTPv2 event frames only; its clock \/dev\/ptp0 by PTP_SYS/,
        ),
      });
    });
  });

  it('are put back by the next run after kill -9; doctor tells of them', async () => {
    const running = await start('--hw-timestamps');
    running.kill('SIGKILL');
    await running.wait();
    expect(await filter()).toBe(PTP_V2_EVENT);
    const { stdout } = await guest.run([...CLI, 'doctor', 'eth0', '--json']);
    const { findings } = JSON.parse(stdout) as DoctorDocument;
    expect(findings.find(({ id }) => id === 'hardware-stamps')).toMatchObject({
      level: 'note',
      found: expect.stringContaining('left by a run of rxstamp that was killed'),
      cure: expect.stringContaining('rxstamp trace eth0'),
    });
    const next = await guest.run([...CLI, 'trace', 'eth0', '--duration', '100ms']);
    expect(next.code).toBe(0);
    expect(next.stderr).toContain(
      'eth0: receive timestamps put back from ptpv2-event to none (left by a run that was killed)',
    );
    expect(next.stdout.split('\n')[0]).toContain('no hw: off; the NIC can stamp PTPv2 event frames only');
    expect(await filter()).toBe(0);
  });

  it('are read where another program has turned them on, also when it sets the clock meanwhile', async () => {
    await filter(PTP_V2_EVENT);
    const socket = guest.start([witness, 'listen']);
    for await (const line of socket.lines()) if (line === 'ready') break;
    const running = await start('--hw-timestamps');
    await guest.shell(`${witness} step /dev/ptp0 ${STEP_NS}`);
    await settle(
      async () => running.soFar.stderr,
      (said) => said.includes("the NIC's clock moved"),
    );
    await rearm(running);
    await sendCounted(guest, [ptpSyncFrame(1)]);
    const [from = 0n, nic = 0n, to = 0n] = await clocks();
    const { trace, stderr, code } = await end(running);
    socket.kill('SIGTERM');
    const stamp = BigInt(/^1 (\d+) \d+$/m.exec((await socket.wait()).stdout)?.[1] ?? 0);
    expect(code).toBe(0);
    expect(stderr).toMatch(
      /^eth0: receive timestamps are on already \(PTPv2 event frames\): nothing changed\nthe NIC's clock moved ahead by [45]\.\d+ ms /,
    );
    const [packet] = trace.packets.filter(isPtp) as HwPacket[];
    expect(packet?.stage).toBe('hw');
    expect(packet?.stages.entry).toBeGreaterThan(packet?.notBefore ?? 0);
    // By the witness's reading of both clocks: the interrupt itself may be late by as much as the clock was set.
    const arrival = BigInt(packet?.arrival ?? 0);
    expect(Number(from - nic + stamp - arrival)).toBeLessThan(STEP_NS / 2);
    expect(Number(to - nic + stamp - arrival)).toBeGreaterThan(-STEP_NS / 2);
    expect(await filter()).toBe(PTP_V2_EVENT);
  });

  it('are not taken from another program that needs others', async () => {
    expect(await filter(PTP_SYNC_V1)).toBe(PTP_SYNC_V1);
    const { code, stderr } = await guest.run([
      ...CLI,
      'trace',
      'eth0',
      '--hw-timestamps',
      '--duration',
      '100ms',
    ]);
    expect([code, stderr.split(':')[0]]).toEqual([1, 'RXS_HW_IN_USE']);
    expect(await filter()).toBe(PTP_SYNC_V1);
  });

  it('of a veth are refused: it has no clock', async () => {
    await guest.shell('ip link add veth0 type veth peer name veth1 && ip link set veth0 up');
    const { code, stderr } = await guest.run([
      ...CLI,
      'trace',
      'veth0',
      '--hw-timestamps',
      '--duration',
      '100ms',
    ]);
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^RXS_NO_HW_STAMPS: .* it is no NIC/)]);
  });
});
