/** The same moments as two tools stamped them. */
import { expect } from 'vitest';

/** The same moment by two tools, ns. */
export interface Moment {
  /** What happens one after the other: of a CPU, or of a line that is on one CPU. */
  readonly row: number;
  readonly mine: number;
  readonly theirs: number;
}

const middle = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? Infinity;

/**
 * Of what one tool has seen, which listened for longer, the same interrupts: where both tools' stamps are nearest, mostly.
 * The first one alone would not tell: a vCPU that is held back between two listeners is nearer to the next interrupt.
 * @param mine a line's interrupts in their order
 * @param theirs the same line's, more of them, on the same clock
 * @param timeOf ns
 * @returns as many as `mine` has, or fewer where there are not more
 */
export function sameRun<T>(mine: readonly T[], theirs: readonly T[], timeOf: (one: T) => number): T[] {
  const starts = Math.max(1, theirs.length - mine.length + 1);
  const runs = Array.from({ length: starts }, (_, start) => theirs.slice(start, start + mine.length));
  const times = mine.map(timeOf);
  const far = runs.map((run) => middle(run.map((one, i) => Math.abs(timeOf(one) - (times[i] as number)))));
  return runs[far.indexOf(Math.min(...far))] as T[];
}

/**
 * Two tools' stamps of a line's interrupts, as many by each, are of the same ones: neither has one that the other has not.
 * That would shift all that follow it by the distance of interrupts, so it shows at an end. And a CPU has done with one
 * interrupt before it comes to the line's next one, however long it is held back in between.
 * @param mine ns
 * @param theirs ns
 * @param apart what the distance mostly is below, ns
 */
export function oneToOne(mine: readonly number[], theirs: readonly number[], apart: number): void {
  expect(theirs).toHaveLength(mine.length);
  const distances = mine.map((time, i) => Math.abs((theirs[i] as number) - time));
  const some = Math.ceil(mine.length / 4);
  expect(middle(distances.slice(0, some)), 'at the start').toBeLessThan(apart);
  expect(middle(distances.slice(-some)), 'at the end').toBeLessThan(apart);
  const crossed = mine.filter(
    (time, i) =>
      i > 0 && ((theirs[i - 1] as number) >= time || (mine[i - 1] as number) >= (theirs[i] as number)),
  );
  expect(crossed).toEqual([]);
}

/**
 * Two tools' stamps of the same moments are near each other, mostly: a vCPU may be held back between any two instructions,
 * for seconds. However long it is, the CPU has done with one moment before it comes to the next one.
 * @param error how far a stamp may be from what the tool's clock said, ns
 */
export function near(what: string, moments: readonly Moment[], error: number): void {
  const sizes = moments.map(({ mine, theirs }) => Math.abs(theirs - mine)).sort((a, b) => a - b);
  expect(sizes.length, what).toBeGreaterThan(20);
  expect(sizes[Math.floor(sizes.length / 2)], what).toBeLessThan(300_000);
  const crossed = [...new Set(moments.map(({ row }) => row))].flatMap((row) => {
    const own = moments.filter((one) => one.row === row).sort((a, b) => a.mine - b.mine);
    return own.slice(1).filter(({ mine, theirs }, i) => {
      const before = own[i] as Moment;
      return before.theirs > mine + error || before.mine > theirs + error;
    });
  });
  expect(crossed, what).toEqual([]);
}
