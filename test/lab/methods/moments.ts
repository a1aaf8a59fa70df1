/** The same moments as two tools stamped them. */
import { expect } from 'vitest';

/** The same moment by two tools, ns. */
export interface Moment {
  /** What happens one after the other: of a CPU, or of a line that is on one CPU. */
  readonly row: number;
  readonly mine: number;
  readonly theirs: number;
}

/** Two tools' stamps are mostly nearer than this, ns: several times less than the distance of two interrupts. */
const NEAR_NS = 300_000;

const middle = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? Infinity;

/**
 * Of what one tool has seen, which listened for longer, the same interrupts: where both tools' stamps are nearest, mostly.
 * The first one alone would not tell: a vCPU that is held back between two listeners may be nearer to the next interrupt.
 * @param mine a line's interrupts in their order, ns
 * @param theirs the same line's, more of them, on the same clock
 * @returns as many as `mine` has, or fewer where there are not more
 */
export function sameRun(mine: readonly number[], theirs: readonly number[]): number[] {
  const starts = Math.max(1, theirs.length - mine.length + 1);
  const runs = Array.from({ length: starts }, (_, start) => theirs.slice(start, start + mine.length));
  const far = runs.map((run) => middle(run.map((time, i) => Math.abs(time - (mine[i] as number)))));
  return runs[far.indexOf(Math.min(...far))] as number[];
}

/**
 * Two tools' stamps of a line's interrupts, as many by each, are of the same ones: neither has one that the other has not.
 * That would shift all that follow it, or all that come before, by the distance of interrupts, so it shows at an end.
 * @param mine ns, in their order
 * @param theirs ns, in theirs
 */
export function oneToOne(mine: readonly number[], theirs: readonly number[]): void {
  expect(theirs).toHaveLength(mine.length);
  const moments = mine.map((time, i) => ({ row: 0, mine: time, theirs: theirs[i] as number }));
  const apart = moments.map((one) => Math.abs(one.theirs - one.mine));
  const quarter = Math.ceil(mine.length / 4);
  expect(middle(apart.slice(0, quarter)), 'at the start').toBeLessThan(NEAR_NS);
  expect(middle(apart.slice(-quarter)), 'at the end').toBeLessThan(NEAR_NS);
  near('one to one', moments, 0);
}

/**
 * Two tools' stamps of the same moments are near each other, mostly: a vCPU may be held back between any two instructions,
 * for seconds. However long it is, the CPU has done with one moment before it comes to the next one.
 * @param error how far a stamp may be from what the tool's clock said, ns
 */
export function near(what: string, moments: readonly Moment[], error: number): void {
  const apart = moments.map(({ mine, theirs }) => Math.abs(theirs - mine));
  expect(apart.length, what).toBeGreaterThan(20);
  expect(middle(apart), what).toBeLessThan(NEAR_NS);
  const crossed = [...new Set(moments.map(({ row }) => row))].flatMap((row) => {
    const own = moments.filter((one) => one.row === row).sort((a, b) => a.mine - b.mine);
    return own.slice(1).filter(({ mine, theirs }, i) => {
      const before = own[i] as Moment;
      return before.theirs > mine + error || before.mine > theirs + error;
    });
  });
  expect(crossed, what).toEqual([]);
}
