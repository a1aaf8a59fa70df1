/**
 * What a method costs per interrupt: CPU time of the whole machine, with the method's reader, against the same load
 * without it. Pure.
 */
import { type Spread, spread } from '../base/stats.js';

/** A stretch of time under one method, or under none. */
export interface Slice {
  readonly wallNs: number;
  /** Idle time of all CPUs together. */
  readonly idleNs: number;
  readonly cpus: number;
  /** Interrupts of the lines that are compared, counted by the kernel. */
  readonly interrupts: number;
}

/** CPU nanoseconds per nanosecond: how many CPUs were busy. */
function busy({ wallNs, idleNs, cpus }: Slice): number {
  return cpus - idleNs / wallNs;
}

/** CPU nanoseconds per interrupt that `traced` took more than `baseline`; NaN without interrupts. */
export function addedPerInterrupt(baseline: Slice, traced: Slice): number {
  if (traced.interrupts === 0) return Number.NaN;
  return ((busy(traced) - busy(baseline)) * traced.wallNs) / traced.interrupts;
}

/** Cost of a method over all rounds. */
export interface Cost {
  /** Added CPU nanoseconds per interrupt, over the rounds. */
  readonly perInterrupt: Spread;
  readonly rounds: number;
  /** What two stretches without any method differ by, the same way: a smaller cost was not measured. */
  readonly noise: number;
}

/** Pairs of a round: what ran without, and what ran with. */
export interface Pair {
  readonly before: Slice;
  readonly traced: Slice;
  readonly after: Slice;
}

const between = ({ before, after }: Pair): Slice => ({
  wallNs: before.wallNs + after.wallNs,
  idleNs: before.idleNs + after.idleNs,
  cpus: before.cpus,
  interrupts: before.interrupts + after.interrupts,
});

/** Sums up the rounds; each is held against the stretches right before and behind it. */
export function costOf(pairs: readonly Pair[]): Cost | undefined {
  const added = pairs
    .map((pair) => addedPerInterrupt(between(pair), pair.traced))
    .filter((value) => !Number.isNaN(value));
  if (added.length === 0) return undefined;
  const apart = pairs
    .map(({ before, after }) => Math.abs(addedPerInterrupt(before, after)))
    .filter((value) => !Number.isNaN(value));
  return { perInterrupt: spread(added), rounds: added.length, noise: spread(apart).median };
}
