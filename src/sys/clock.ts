/** Other clocks beside CLOCK_MONOTONIC, with how well their distance is known. */
import { type ClockName, clockNow } from './libc.js';

/** Clock minus CLOCK_MONOTONIC in nanoseconds, and how far it may be off. */
export interface ClockOffset {
  readonly offset: bigint;
  readonly error: number;
}

/**
 * Reads a clock between two readings of CLOCK_MONOTONIC, several times; the narrowest bracket wins. The two clocks run
 * at the same rate (the kernel steers both), so the offset only changes when a clock is set, or in suspend for boot.
 */
export function clockOffset(clock: ClockName): ClockOffset {
  if (clock === 'mono') return { offset: 0n, error: 0 };
  let best: ClockOffset = { offset: 0n, error: Number.POSITIVE_INFINITY };
  for (let i = 0; i < 16; i++) {
    const before = clockNow('mono');
    const other = clockNow(clock);
    const after = clockNow('mono');
    const error = Math.ceil(Number(after - before) / 2);
    if (error < best.error) best = { offset: other - (before + after) / 2n, error };
  }
  return best;
}
