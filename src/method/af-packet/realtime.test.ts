import { describe, expect, it } from 'vitest';
import { Realtime } from './realtime.js';

const BASE = 5_000_000_000_123n;
const OFFSET = 1_700_000_000_000_000_456n;

/** What CLOCK_REALTIME shows at `time` from the base, where it is `set` nanoseconds ahead of what it was. */
const stamp = (time: number, set = 0): [number, number] => {
  const at = BASE + OFFSET + BigInt(time + set);
  return [Number(at / 1_000_000_000n), Number(at % 1_000_000_000n)];
};

describe('stamps in CLOCK_REALTIME', () => {
  it('are converted to the nanosecond, before the base and behind it', () => {
    const clock = new Realtime(BASE, { offset: OFFSET, error: 40 });
    for (const time of [0, 1, 999_999_999, 123_456_789_012, -77])
      expect(clock.convert(...stamp(time), 0, 0)).toBe(time);
  });

  it('take the better of two readings that agree', () => {
    const clock = new Realtime(BASE, { offset: OFFSET, error: 40 });
    expect(clock.read({ offset: OFFSET + 30n, error: 60 })).toBe(false);
    expect([clock.error, clock.convert(...stamp(1000), 0, 2000)]).toEqual([40, 1000]);
    expect(clock.read({ offset: OFFSET - 10n, error: 15 })).toBe(false);
    expect([clock.error, clock.convert(...stamp(1000), 0, 2000)]).toEqual([15, 1010]);
  });

  it('lie on one side of a setting of the clock, or are not known', () => {
    for (const set of [60_000_000_000, -60_000_000_000, 3_600_000_000_000]) {
      const clock = new Realtime(BASE, { offset: OFFSET, error: 40 });
      expect(clock.read({ offset: OFFSET + BigInt(set), error: 40 })).toBe(true);
      expect(clock.convert(...stamp(1_500), 1000, 2000)).toBe(1_500);
      expect(clock.convert(...stamp(1_600, set), 1000, 2000)).toBe(1_600);
      // From neither time.
      expect(clock.convert(...stamp(500_000), 1000, 2000)).toBeNaN();
      expect(clock.read({ offset: OFFSET + BigInt(set), error: 40 })).toBe(false);
      expect(clock.convert(...stamp(2_500, set), 2000, 3000)).toBe(2_500);
    }
    // A step that is shorter than the time between the readings.
    const clock = new Realtime(BASE, { offset: OFFSET, error: 40 });
    expect(clock.read({ offset: OFFSET + 100n, error: 40 })).toBe(true);
    expect(clock.convert(...stamp(1_500), 1000, 2000)).toBeNaN();
    expect(clock.convert(...stamp(1_950, 100), 1000, 2000)).toBe(1_950);
  });
});
