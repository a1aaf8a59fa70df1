/** The same moments as two tools stamped them. */
import { expect } from 'vitest';

/** The same moment by two tools, ns. */
export interface Moment {
  /** What happens one after the other: of a CPU, or of a line that is on one CPU. */
  readonly row: number;
  readonly mine: number;
  readonly theirs: number;
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
