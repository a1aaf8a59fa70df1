import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Timeline, barText, deltaText, spanText } from './time.js';

/** 104 days: as far from the base as a relative time may lie. */
const REACH = 104 * 86_400 * 1_000_000_000;
/** CLOCK_MONOTONIC after 30 years of uptime, CLOCK_REALTIME up to the year 2262. */
const bases = fc.bigInt({ min: BigInt(REACH), max: 946_080_000_000_000_000n });
const offsets = fc.bigInt({ min: 0n, max: 8_000_000_000_000_000_000n });
const relatives = fc.oneof(
  fc.integer({ min: -REACH, max: REACH }),
  // Around whole seconds, where a carry is decided.
  fc
    .tuple(fc.integer({ min: -8_985_600, max: 8_985_600 }), fc.integer({ min: -2, max: 2 }))
    .map(([seconds, nanos]) => seconds * 1_000_000_000 + nanos),
);

const secondsText = (time: bigint): string =>
  `${time / 1_000_000_000n}.${String(time % 1_000_000_000n).padStart(9, '0')}`;

describe('a timeline', () => {
  it('shows every time that BigInt arithmetic gives', () => {
    fc.assert(
      fc.property(bases, offsets, relatives, (base, offset, relative) => {
        const timeline = new Timeline(base, offset);
        const time = base + offset + BigInt(relative);
        expect(timeline.text(relative)).toBe(secondsText(time));
        expect(timeline.nanoseconds(relative)).toBe(String(time));
        expect(timeline.bigint(relative)).toBe(time);
      }),
      { numRuns: 2000 },
    );
  });

  it('is exact where nanoseconds leave the doubles, at 2^53', () => {
    const base = 2n ** 53n - 5n;
    const timeline = new Timeline(base);
    for (let relative = 0; relative < 12; relative++) {
      expect(timeline.nanoseconds(relative)).toBe(String(base + BigInt(relative)));
    }
  });

  it('is exact for CLOCK_REALTIME of today', () => {
    const timeline = new Timeline(73_811_204_518_337n, 1_790_000_000_123_456_789n - 73_811_204_518_337n);
    expect(timeline.nanoseconds(1)).toBe('1790000000123456790');
    expect(timeline.text(1)).toBe('1790000000.123456790');
  });

  it('carries into the seconds at the last nanosecond, in both directions', () => {
    const timeline = new Timeline(5_999_999_999n);
    expect(timeline.text(0)).toBe('5.999999999');
    expect(timeline.text(1)).toBe('6.000000000');
    expect(timeline.text(-1_000_000_000)).toBe('4.999999999');
    expect(new Timeline(6_000_000_000n).text(-1)).toBe('5.999999999');
  });

  it('writes times below a second without leading zeros as nanoseconds, and with them as seconds', () => {
    const timeline = new Timeline(7n);
    expect(timeline.nanoseconds(0)).toBe('7');
    expect(timeline.nanoseconds(-7)).toBe('0');
    expect(timeline.text(0)).toBe('0.000000007');
  });

  it('takes a new offset when the shown clock was stepped', () => {
    const timeline = new Timeline(1_000n, 0n);
    timeline.move(1_000n, 2_000_000_000n);
    expect(timeline.text(5)).toBe('2.000001005');
  });
});

describe('a difference', () => {
  it('keeps all nanoseconds and its sign', () => {
    fc.assert(
      fc.property(fc.integer({ min: -REACH, max: REACH }), (difference) => {
        const size = BigInt(Math.abs(difference));
        const text = `${size / 1000n}.${String(size % 1000n).padStart(3, '0')}`;
        expect(deltaText(difference)).toBe(`${difference < 0 ? '-' : '+'}${text}`);
      }),
    );
  });

  it('of nothing is +0.000, whatever the sign of the zero', () => {
    expect([deltaText(0), deltaText(-0)]).toEqual(['+0.000', '+0.000']);
  });
});

describe('a span', () => {
  it('is told in the unit that suits it', () => {
    expect([0, 340, 999, 12_340, 4_560_000, 1_200_000_000, 90e9].map(spanText)).toEqual([
      '0 ns',
      '340 ns',
      '999 ns',
      '12.3 µs',
      '4.56 ms',
      '1.20 s',
      '90.00 s',
    ]);
  });

  it('moves to the next unit when rounding would fill the one before', () => {
    expect([999.6, 999_960, 999_996_000].map(spanText)).toEqual(['1.0 µs', '1.00 ms', '1.00 s']);
  });
});

describe('an error', () => {
  it.each([
    [0, '0ns'],
    [999, '999ns'],
    [1000, '1.0µs'],
    [3001, '3.1µs'],
    [99_900, '99.9µs'],
    [99_901, '100µs'],
    [999_001, '1000µs'],
    [1_000_000, '1.0ms'],
    [250_000_000, '250ms'],
    [2_010_000_000, '2.1s'],
  ])('of %d ns is shown as %s: never smaller than it is', (nanoseconds, text) => {
    expect(barText(nanoseconds)).toBe(text);
  });
});
