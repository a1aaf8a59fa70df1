import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Widths } from './widths.js';

describe('the widths of error bars', () => {
  it('have a median that is never too small and at most 1/32 too large, and the exact maximum', () => {
    const width = fc.oneof(
      fc.nat(100),
      fc.nat(100_000),
      fc.nat(2 ** 31 - 1),
      fc.integer({ min: 0, max: 2 ** 45 }),
    );
    fc.assert(
      fc.property(fc.array(width, { minLength: 1, maxLength: 200 }), (all) => {
        const widths = new Widths();
        for (const one of all) widths.add(one);
        const sorted = [...all].sort((a, b) => a - b);
        const median = sorted[Math.ceil(sorted.length / 2) - 1]!;
        expect(widths.max).toBe(sorted.at(-1));
        expect(widths.median).toBeGreaterThanOrEqual(median);
        expect(widths.median).toBeLessThanOrEqual(median + median / 32);
        expect([widths.count, widths.unknown]).toEqual([all.length, 0]);
      }),
    );
  });

  it('count what is not known apart', () => {
    const widths = new Widths();
    widths.add(Number.NaN);
    expect([widths.count, widths.unknown, widths.median]).toEqual([0, 1, Number.NaN]);
    widths.add(7);
    expect([widths.count, widths.unknown, widths.median]).toEqual([1, 1, 7]);
  });
});
