import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HardwareClock, WANDER } from './hardware-clock.js';

/** Beyond 2^53, as clocks that show the date are. */
const NIC = 1_795_341_929_648_088_291n;
const BASE = 86_400_000_000_007n;

const reading = (nic: number, mono: number, error = 0) => ({
  nic: NIC + BigInt(nic),
  mono: BASE + BigInt(mono),
  error,
});

describe('a NIC’s clock', () => {
  it('converts on the straight line between the readings around a stamp', () => {
    const clock = new HardwareClock(BASE, reading(0, 1000, 10));
    // 50 ppm slow.
    expect(clock.add(reading(999_950_000, 1_000_001_000, 30))).toBe(0);
    expect(clock.nicBase).toBe(NIC);
    expect(clock.convert(0)).toBe(1000);
    expect(clock.error).toBe(10);
    expect(clock.convert(999_950_000)).toBe(1_000_001_000);
    expect(clock.error).toBe(30);
    expect(clock.convert(499_975_000)).toBe(500_001_000);
    expect(clock.error).toBe(Math.ceil(20 + WANDER * 499_975_000));
  });

  it('gives a stamp near a reading little more than the reading’s own error', () => {
    const clock = new HardwareClock(BASE, reading(0, 0, 100));
    clock.add(reading(1e9, 1e9, 200));
    clock.convert(1e9 - 4e6);
    expect(clock.error).toBe(Math.ceil(200 - 0.4 + 400));
  });

  it('converts nothing that lies outside of its readings', () => {
    const clock = new HardwareClock(BASE, reading(0, 0));
    expect(clock.convert(0)).toBeNaN();
    clock.add(reading(1000, 1000));
    expect(clock.convert(-1)).toBeNaN();
    expect(clock.convert(1001)).toBeNaN();
    expect(clock.error).toBeNaN();
    expect(clock.convert(1000)).toBe(1000);
  });

  it.each([
    ['forward', 5_000_000],
    ['back', -5_000_000],
  ])('notices that it was set %s, and converts nothing from then until it was read again', (_, step) => {
    const clock = new HardwareClock(BASE, reading(0, 0));
    clock.add(reading(1e9, 1e9));
    expect(clock.add(reading(2e9 + step, 2e9))).toBe(step);
    expect(clock.convert(1.5e9)).toBeNaN();
    clock.add(reading(3e9 + step, 3e9));
    expect(clock.convert(2.5e9 + step)).toBe(2.5e9);
    expect(clock.convert(0.5e9)).toBe(0.5e9);
  });

  it('takes no drift for a step that the readings’ errors explain', () => {
    const clock = new HardwareClock(BASE, reading(0, 0, 40_000));
    expect(clock.add(reading(1e6, 1e6 + 75_000, 40_000))).toBe(0);
    expect(clock.add(reading(2e6, 2e6 - 75_000, 40_000))).toBe(75_000 * 2);
  });

  it('keeps some seconds of readings and no more', () => {
    const clock = new HardwareClock(BASE, reading(0, 0));
    for (let second = 1; second <= 30; second++) clock.add(reading(second * 1e9, second * 1e9));
    expect(clock.convert(21e9)).toBe(21e9);
    expect(clock.convert(5e9)).toBeNaN();
    expect(clock.lastReading).toBe(30e9);
  });

  it('encloses the true time: any drift within 100 ppm of its mean, any readings within their error', () => {
    const segments = fc.array(
      fc.record({
        length: fc.integer({ min: 1_000_000, max: 1_000_000_000 }),
        // The rate changes half-way, by less than WANDER in each direction.
        ppm: fc.integer({ min: -400, max: 400 }),
        wander: fc.integer({ min: -99, max: 99 }),
        error: fc.integer({ min: 0, max: 5000 }),
        // Where in its error the reading really lies: permille.
        off: fc.integer({ min: -1000, max: 1000 }),
        stamps: fc.array(fc.integer({ min: 0, max: 1000 }), { maxLength: 8 }),
      }),
      { minLength: 1, maxLength: 12 },
    );
    fc.assert(
      fc.property(segments, (plan) => {
        const clock = new HardwareClock(BASE, reading(0, 0));
        let [mono, nic] = [0, 0];
        for (const { length, ppm, wander, error, off, stamps } of plan) {
          const at = (share: number): { mono: number; nic: number } => {
            const first = Math.min(share, 0.5);
            const rest = Math.max(0, share - 0.5);
            const gained = (first * (ppm + wander) + rest * (ppm - wander)) * 1e-6;
            return { mono: mono + share * length, nic: nic + (share + gained) * length };
          };
          const end = at(1);
          const read = reading(Math.round(end.nic), Math.round(end.mono + (off / 1000) * error), error);
          expect(clock.add(read)).toBe(0);
          for (const permille of stamps) {
            const truth = at(permille / 1000);
            const stamp = Math.min(Math.round(truth.nic), Math.round(end.nic));
            const found = clock.convert(stamp);
            expect(Math.abs(found - truth.mono)).toBeLessThanOrEqual(clock.error + 2);
          }
          [mono, nic] = [end.mono, end.nic];
        }
      }),
      { numRuns: 500 },
    );
  });
});
