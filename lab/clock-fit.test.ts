import { array, assert, double, integer, oneof, property, record, tuple } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Sighting, fitClocks } from './clock-fit.js';

const HOST0 = 1_795_404_915_000_000_000n;
const SECOND = 1e9;

interface Clock {
  readonly offset: number;
  readonly ppm: number;
}

const guestAt = ({ offset, ppm }: Clock, host: number): number => offset + host + (host * ppm) / 1e6;

/** A moment seen with uneven brackets, as a probe that is interrupted sees it. */
function sighting(clock: Clock, at: number, early: number, late: number): Sighting {
  const host = HOST0 + BigInt(Math.floor(at / 1000)) * 1000n;
  return {
    hostFrom: host,
    hostTo: host + 1000n,
    guestFrom: BigInt(Math.floor(guestAt(clock, at) - early)),
    guestTo: BigInt(Math.ceil(guestAt(clock, at) + late)),
  };
}

const bracket = oneof(
  { weight: 9, arbitrary: integer({ min: 200, max: 900 }) },
  integer({ min: 900, max: 3_000_000 }),
);
const clocks = record({
  offset: integer({ min: 1e9, max: 1e12 }),
  ppm: double({ min: -900, max: 900, noNaN: true }),
});

describe('fitClocks', () => {
  it('has the true time in its span at every moment, whatever the brackets', () => {
    const seen = array(tuple(integer({ min: 0, max: 60 * SECOND }), bracket, bracket), {
      minLength: 2,
      maxLength: 60,
    });
    assert(
      property(clocks, seen, array(double({ min: 0, max: 1, noNaN: true })), (clock, rows, places) => {
        const sightings = rows.map(([at, early, late]) => sighting(clock, at, early, late));
        const times = rows.map(([at]) => at);
        const fit = fitClocks(sightings);
        const [first, last] = [Math.min(...times), Math.max(...times)];
        for (const place of places) {
          const at = Math.floor(first + (last - first) * place);
          const { from, to } = fit.toGuest(HOST0 + BigInt(at));
          const truth = guestAt(clock, at);
          expect(Number(from)).toBeLessThanOrEqual(truth + 1);
          expect(Number(to)).toBeGreaterThanOrEqual(truth - 1);
        }
      }),
      { seed: 7, numRuns: 300 },
    );
  });

  it('is as good as its narrow brackets, and states the rate', () => {
    const clock = { offset: 5e9, ppm: 12.5 };
    const sightings = Array.from({ length: 1000 }, (_, i) =>
      sighting(clock, i * 3e7 + (i % 997), 300 + (i % 7), i % 10 === 0 ? 1e6 : 400),
    );
    const fit = fitClocks(sightings);
    expect(fit.errorNs).toBeLessThan(1000);
    expect(fit.ppm).toBeCloseTo(12.5, 1);
    expect(fit.wideningNs).toBeLessThan(0.01);
    expect(fit.sightings).toBe(1000);
  });

  it('widens by what a clock that jumped needs, and says so', () => {
    const sightings = Array.from({ length: 100 }, (_, i) =>
      sighting({ offset: 5e9 + (i >= 50 ? 20_000 : 0), ppm: 0 }, i * 1e8, 300, 300),
    );
    const fit = fitClocks(sightings);
    expect(fit.wideningNs).toBeGreaterThan(2000);
    expect(fit.errorNs).toBeGreaterThanOrEqual(fit.wideningNs);
  });

  it('refuses a single sighting', () => {
    expect(() => fitClocks([sighting({ offset: 0, ppm: 0 }, 0, 1, 1)])).toThrow(/1 sightings/);
  });
});
