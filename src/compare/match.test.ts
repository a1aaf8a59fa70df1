import { describe, expect, it } from 'vitest';
import { type Sighting, compareSightings, matchInterrupts } from './match.js';

const at = (time: number, end = Number.NaN, cpu = 0, irq = 25): Sighting => ({ cpu, irq, time, end });

describe('interrupts that several methods saw', () => {
  const reference = [at(100, 120), at(200, 220), at(300, 320), at(150, 170, 1)];

  it('are matched by the handler that is done next on that CPU', () => {
    // Earlier than the reference's own stamp, within, at the very end; and one on the other CPU.
    const { times, extra } = matchInterrupts(reference, [at(90), at(210), at(320), at(140, Number.NaN, 1)]);
    expect([[...times], extra]).toEqual([[90, 210, 320, 140], 0]);
  });

  it('are not made up: what is missing is missing, what is too many is extra', () => {
    const seen = [at(210), at(211), at(400), at(95, Number.NaN, 0, 26)];
    const { times, extra } = matchInterrupts(reference, seen);
    expect([[...times], extra]).toEqual([[Number.NaN, 210, Number.NaN, Number.NaN], 3]);
  });

  it('are matched by the line where one of the methods does not tell it', () => {
    const { times } = matchInterrupts(reference, [at(105, Number.NaN, 0, -1)]);
    expect(times[0]).toBe(105);
  });

  it('are matched half way to the next where the reference stamps no end', () => {
    const open = [at(100), at(200)];
    expect([...matchInterrupts(open, [at(149), at(151)]).times]).toEqual([149, 151]);
  });

  it('are compared where all methods saw them, from the earliest stamp of each', () => {
    const many = Array.from({ length: 100 }, (_, i) => at(1000 * i, 1000 * i + 50));
    const shifted = (by: number): Sighting[] => many.map(({ time }) => at(time + by));
    const sparse = shifted(-20).filter((_, i) => i % 2 === 0);
    const one = shifted(10).filter((_, i) => i !== 3);
    const result = compareSightings(
      new Map([
        ['ref', many],
        ['late', one],
        ['early', shifted(-5)],
        ['half', sparse],
      ]),
      'ref',
    );
    expect(result.get('ref')).toEqual({
      matched: 100,
      missing: 0,
      extra: 0,
      later: { median: 5, p99: 5, of: 99 },
    });
    expect(result.get('late')?.later).toEqual({ median: 15, p99: 15, of: 99 });
    expect(result.get('early')?.later).toEqual({ median: 0, p99: 0, of: 99 });
    // It misses too much to say what "the same interrupts" are, and is not the earliest of what it did not see.
    expect(result.get('half')).toMatchObject({ matched: 50, missing: 50, later: { median: -15, of: 50 } });
  });
});
