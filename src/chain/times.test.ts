import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { earliestHook, median, offsets } from './times.js';

describe('times of a chain', () => {
  it('are medians of distances within each interrupt', () => {
    const samples = [
      [1, 11, 31],
      [1, 13, 35],
      [1, 12, 33],
    ];
    expect(earliestHook(samples, 3)).toBe(0);
    expect(offsets(samples, 3, 0)).toEqual([
      { median: 0, least: 0, most: 0, count: 3 },
      { median: 11, least: 10, most: 12, count: 3 },
      { median: 32, least: 30, most: 34, count: 3 },
    ]);
  });

  it('leave out what was not entered, and what another interrupt entered', () => {
    const samples = [
      [100, 0, 150],
      [100, 1, 160],
    ];
    expect(offsets(samples, 3, 0)[1]).toEqual({
      median: undefined,
      least: undefined,
      most: undefined,
      count: 0,
    });
    expect(offsets(samples, 3, 0)[2]).toMatchObject({ median: 50, count: 2 });
  });

  it('begin with the hook that comes first most often', () => {
    const samples = [
      [5, 1],
      [0, 1],
      [1, 4],
    ];
    expect(earliestHook(samples, 2)).toBe(1);
    expect(earliestHook([], 2)).toBeUndefined();
    expect(earliestHook([[0, 0]], 2)).toBeUndefined();
  });

  it('have a median that was measured', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(), { minLength: 1 }), (values) => {
        const middle = median(values) as number;
        expect(values).toContain(middle);
        expect(values.filter((value) => value < middle).length).toBeLessThanOrEqual(values.length / 2);
        expect(values.filter((value) => value > middle).length).toBeLessThanOrEqual(values.length / 2);
      }),
    );
    expect(median([])).toBeUndefined();
  });
});
