import { describe, expect, it } from 'vitest';
import { seenBy } from './company.js';
import type { Sighting } from './match.js';

const at = (time: number, end = Number.NaN): Sighting => ({ cpu: 0, irq: 25, time, end });
/** Two close together, then a long pause: half way to the next one is far from an end. */
const STARTS = [1000, 1200, 5000, 5200, 9000, 9200, 13_000, 13_200];
const ended = STARTS.map((time) => at(time, time + 100));
const handler = STARTS.map((time) => at(time + 90));
const early = STARTS.map((time) => at(time - 50));
const span = { from: 4000, to: 10_000 };

describe('interrupts in company', () => {
  it('are those of the span, seen by all who saw them', () => {
    expect(seenBy([ended, handler, early], span, 4)).toEqual({ interrupts: 4, seen: [4, 4, 4] });
  });

  it('at an edge of the span are in it for everybody, on whichever side of it their stamps are', () => {
    // It begins within the first one, between two methods' stamps, and ends so in the last one.
    expect(seenBy([ended, handler, early], { from: 5050, to: 9250 }, 4)).toEqual({
      interrupts: 4,
      seen: [4, 4, 4],
    });
  });

  it('are not lost to a reference without ends that has one more', () => {
    const more = [...handler, at(7000)];
    expect(seenBy([more, ended, early], span, 4)).toEqual({ interrupts: 4, seen: [4, 4, 4] });
  });

  it('are lost where they were not seen, one by one', () => {
    const without = (lost: number): Sighting[] => early.filter((_, index) => index !== lost);
    expect(seenBy([ended, ...STARTS.map((_, lost) => without(lost))], span, 4).seen).toEqual([
      4, 4, 4, 3, 3, 3, 3, 4, 4,
    ]);
  });

  it('are as many as the kernel counted, or whoever saw the most', () => {
    expect(seenBy([ended, early], span, 6)).toEqual({ interrupts: 6, seen: [4, 4] });
    expect(seenBy([ended.slice(0, 3), handler], span, 4)).toMatchObject({ interrupts: 4, seen: [1, 4] });
    expect(seenBy([], span, 0)).toEqual({ interrupts: 0, seen: [] });
  });
});
