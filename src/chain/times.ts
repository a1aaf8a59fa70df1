/** How far apart the functions of a chain are entered: medians over interrupts. Pure. */

/** The times of one interrupt by hook, nanoseconds; 0: not entered. */
export type Sample = readonly number[];

/** What the samples say of one hook. */
export interface Offset {
  /** Median distance from the earliest hook, ns; undefined where no interrupt had both. */
  readonly median: number | undefined;
  readonly least: number | undefined;
  readonly most: number | undefined;
  /** Interrupts that it is of. */
  readonly count: number;
}

/** The median; of an even number the lower of the two, which was measured. */
export function median(values: readonly number[]): number | undefined {
  return [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) / 2)];
}

/**
 * Offsets from hook `earliest`. A hook that was entered before it in a sample was entered by another interrupt, and is
 * left out there.
 */
export function offsets(samples: readonly Sample[], hooks: number, earliest: number): Offset[] {
  return Array.from({ length: hooks }, (_, hook) => {
    const distances = samples.flatMap((sample) => {
      const start = sample[earliest] ?? 0;
      const time = sample[hook] ?? 0;
      return start === 0 || time === 0 || time < start ? [] : [time - start];
    });
    const most = distances.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
    const least = distances.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
    return distances.length === 0
      ? { median: undefined, least: undefined, most: undefined, count: 0 }
      : { median: median(distances), least, most, count: distances.length };
  });
}

/** The hook that is entered first in most samples; undefined without any. */
export function earliestHook(samples: readonly Sample[], hooks: number): number | undefined {
  const first = Array.from({ length: hooks }, () => 0);
  for (const sample of samples) {
    let best = -1;
    for (let hook = 0; hook < hooks; hook++) {
      const time = sample[hook] ?? 0;
      if (time !== 0 && (best < 0 || time < (sample[best] as number))) best = hook;
    }
    if (best >= 0) first[best] = (first[best] as number) + 1;
  }
  const most = Math.max(0, ...first);
  return most === 0 ? undefined : first.indexOf(most);
}
