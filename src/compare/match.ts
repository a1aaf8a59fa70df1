/**
 * The same interrupts as several methods saw them, matched one to one. Pure. On one CPU hard interrupts come one after the
 * other, so a stamp belongs to the interrupt whose handler is the next to be done.
 */
import { quantile } from '../base/stats.js';

/** One interrupt as one method saw it. Nanoseconds, one base for all methods. */
export interface Sighting {
  readonly cpu: number;
  /** -1: the method does not tell. */
  readonly irq: number;
  /** Its earliest stamp. */
  readonly time: number;
  /** End of its handler; NaN where the method does not stamp it. */
  readonly end: number;
}

/** What one method saw of the reference's interrupts. */
export interface Matched {
  /** By index in the reference: this method's time, NaN: it did not see that one. */
  readonly times: Float64Array;
  /** Stamps that belong to no interrupt of the reference, or to one that has its stamp already. */
  readonly extra: number;
}

const byTime = (a: Sighting, b: Sighting): number => a.time - b.time;

/** Where an interrupt of the reference ends as far as stamps go: its own end, or half way to the next one. */
function upper(reference: readonly Sighting[], at: number): number {
  const { end, time } = reference[at] as Sighting;
  if (!Number.isNaN(end)) return end;
  const next = reference[at + 1];
  return next === undefined ? Number.POSITIVE_INFINITY : (time + next.time) / 2;
}

function matchCpu(
  reference: readonly Sighting[],
  indices: readonly number[],
  seen: readonly Sighting[],
  times: Float64Array,
): number {
  let extra = 0;
  let at = 0;
  for (const one of seen) {
    while (at < reference.length && one.time > upper(reference, at)) at++;
    const found = reference[at];
    const index = indices[at];
    if (found === undefined || index === undefined) {
      extra++;
      continue;
    }
    const told = one.irq < 0 || found.irq < 0 || one.irq === found.irq;
    if (told && Number.isNaN(times[index])) times[index] = one.time;
    else extra++;
  }
  return extra;
}

/** Matches what a method saw with the reference. Neither needs to be in order. */
export function matchInterrupts(reference: readonly Sighting[], seen: readonly Sighting[]): Matched {
  const times = new Float64Array(reference.length).fill(Number.NaN);
  const indexed = reference.map((sighting, index) => ({ ...sighting, index })).sort(byTime);
  let extra = 0;
  for (const cpu of new Set([...reference, ...seen].map((one) => one.cpu))) {
    const here = indexed.filter((one) => one.cpu === cpu);
    const its = seen.filter((one) => one.cpu === cpu).sort(byTime);
    const places = here.map(({ index }) => index);
    extra += matchCpu(here, places, its, times);
  }
  return { times, extra };
}

/** How much later than the earliest one method's stamps are, in nanoseconds. */
export interface Later {
  readonly median: number;
  readonly p99: number;
  /** Interrupts that this is of. */
  readonly of: number;
}

/** One method beside the others. */
export interface Earliness {
  /** Interrupts of the reference that it saw. */
  readonly matched: number;
  readonly missing: number;
  readonly extra: number;
  /** On the interrupts that all methods saw; undefined where there are none. */
  readonly later: Later | undefined;
}

/** A method that misses more than this part does not decide which interrupts all are compared on. */
const MOST_MISSING = 0.1;

/**
 * Compares methods on the same interrupts.
 * @param sightings by method
 * @param reference the method whose interrupts the others are matched with; best one that stamps the handler's end
 */
export function compareSightings<Name extends string>(
  sightings: ReadonlyMap<Name, readonly Sighting[]>,
  reference: Name,
): ReadonlyMap<Name, Earliness> {
  const base = sightings.get(reference) ?? [];
  const matched = new Map<Name, Matched>();
  for (const [name, seen] of sightings) matched.set(name, matchInterrupts(base, seen));
  const counts = new Map<Name, number>();
  for (const [name, { times }] of matched)
    counts.set(
      name,
      times.reduce((sum, time) => sum + Number(!Number.isNaN(time)), 0),
    );
  const complete = [...matched].filter(
    ([name]) => (counts.get(name) as number) >= base.length * (1 - MOST_MISSING),
  );
  const common: number[] = [];
  const earliest: number[] = [];
  for (let index = 0; index < base.length; index++) {
    let first = Number.POSITIVE_INFINITY;
    for (const [, { times }] of complete) first = Math.min(first, times[index] as number);
    if (Number.isNaN(first) || first === Number.POSITIVE_INFINITY) continue;
    common.push(index);
    earliest.push(first);
  }
  return new Map(
    [...matched].map(([name, { times, extra }]) => {
      const count = counts.get(name) as number;
      const late = common
        .map((index, at) => (times[index] as number) - (earliest[at] as number))
        .filter((value) => !Number.isNaN(value))
        .sort((a, b) => a - b);
      const later =
        late.length === 0
          ? undefined
          : { median: quantile(late, 0.5), p99: quantile(late, 0.99), of: late.length };
      return [name, { matched: count, missing: base.length - count, extra, later }];
    }),
  );
}
