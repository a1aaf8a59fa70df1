/** The guest's clock against the host's: a program in the guest reads a port that QEMU traces. */
import { type ClockFit, fitClocks } from '../../lab/clock-fit.js';
import type { Guest } from '../../lab/guest.js';
import { TRACE_STEP_NS, statusReads } from '../../lab/nic-truth.js';
import type { QemuEvent } from '../../lab/qemu-trace.js';
import type { Running } from '../../lab/running.js';
import { compile } from '../support/compile.js';

/** Milliseconds between bursts of readings, and readings per burst. */
const RHYTHM = ['20', '4'];

/** A probe that is running. The guest must trace TRUTH_EVENTS. */
export class ClockProbe {
  private readonly running: Running;

  private constructor(running: Running) {
    this.running = running;
  }

  /** Starts it; returns once it reads. */
  static async start(guest: Guest): Promise<ClockProbe> {
    const running = guest.start([compile('test/support/clock-probe.c'), ...RHYTHM]);
    for await (const line of running.lines()) if (line === 'ready') return new ClockProbe(running);
    throw new Error(`the probe ended: ${(await running.wait()).stderr}`);
  }

  /** Ends it; returns the guest's CLOCK_MONOTONIC before and after each reading, ns. */
  async end(): Promise<(readonly [bigint, bigint])[]> {
    this.running.kill('SIGTERM');
    const { stdout } = await this.running.wait();
    return [...stdout.matchAll(/^(\d+) (\d+)$/gm)].map(
      ([, from = '', to = '']) => [BigInt(from), BigInt(to)] as const,
    );
  }
}

/** Relates the clocks by the probe's readings and the same readings in QEMU's trace. */
export function fitReadings(
  readings: readonly (readonly [bigint, bigint])[],
  events: readonly QemuEvent[],
): ClockFit {
  // The guest's own driver reads the port too, but only while it boots and when it powers off.
  const reads = statusReads(events).slice(-readings.length);
  return fitClocks(
    readings.map(([guestFrom, guestTo], index) => {
      const hostFrom = reads[index] ?? 0n;
      return { guestFrom, guestTo, hostFrom, hostTo: hostFrom + TRACE_STEP_NS };
    }),
  );
}
