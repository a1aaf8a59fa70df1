import { describe, expect, it } from 'vitest';
import { type Slice, addedPerInterrupt, costOf } from './cost.js';

const slice = (idleNs: number, interrupts = 1000): Slice => ({ wallNs: 1e9, idleNs, cpus: 2, interrupts });

describe('cost per interrupt', () => {
  it('is the busy time that came on top, over the interrupts', () => {
    expect(addedPerInterrupt(slice(1.8e9), slice(1.7e9))).toBeCloseTo(100_000);
    expect(addedPerInterrupt(slice(1.8e9), slice(1.7e9, 0))).toBeNaN();
  });

  it('is held against what ran before and behind, and against what those differ by', () => {
    const pairs = [1.7e9, 1.68e9, 1.6e9].map((idle) => ({
      before: slice(1.8e9),
      traced: slice(idle),
      after: slice(1.79e9),
    }));
    const cost = costOf(pairs);
    expect(cost?.perInterrupt.median).toBeCloseTo(115_000);
    expect(cost?.perInterrupt.min).toBeCloseTo(95_000);
    expect(cost?.noise).toBeCloseTo(10_000);
    expect(cost?.rounds).toBe(3);
  });

  it('is nothing where no interrupt came', () => {
    expect(costOf([{ before: slice(1e9), traced: slice(1e9, 0), after: slice(1e9) }])).toBeUndefined();
  });
});
