import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RxError } from './errors.js';
import { parseCount, parseDuration, parseNumberList, parseSize } from './units.js';

function refusal(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof RxError) return error.toLine();
    throw error;
  }
  return 'nothing was thrown';
}

describe('a size', () => {
  it('counts KiB and k in 1024, kB in 1000', () => {
    const sizes = [
      '64KiB',
      '64k',
      '64kB',
      '4MiB',
      '4M',
      '1GiB',
      '1g',
      '65536',
      '65536B',
      '1.5KiB',
      ' 2 MiB ',
    ];
    expect(sizes.map((text) => parseSize(text, '--buffer'))).toEqual([
      65_536, 65_536, 64_000, 4_194_304, 4_194_304, 1_073_741_824, 1_073_741_824, 65_536, 65_536, 1536,
      2_097_152,
    ]);
  });

  it.each(['', 'x', '4X', '-4k', '4 4k', '0x10', '1e3', '5constructor', 'NaN', 'Infinity', '4k\n5k'])(
    'is not %j',
    (text) => {
      expect(refusal(() => parseSize(text, '--buffer'))).toBe(
        `RXS_USAGE: reading --buffer ${JSON.stringify(text)}: not a number with a unit. hint: write it like 64KiB or 4MiB`,
      );
    },
  );

  it('is refused when it is too large to be a number', () => {
    expect(refusal(() => parseSize('9'.repeat(400), '--buffer'))).toMatch(
      /^RXS_USAGE: reading --buffer .*: too large\. hint/,
    );
  });
});

describe('a duration', () => {
  it('is nanoseconds of the unit, which must be there', () => {
    const texts = ['50ns', '50us', '50µs', '50μs', '500ms', '1.5s', '5m', '5min', '2h', '0.1us'];
    expect(texts.map((text) => parseDuration(text, '--duration'))).toEqual([
      50, 50_000, 50_000, 50_000, 500_000_000, 1_500_000_000, 300e9, 300e9, 7200e9, 100,
    ]);
    expect(refusal(() => parseDuration('5', '--duration'))).toBe(
      'RXS_USAGE: reading --duration "5": not a number with a unit. hint: write it like 500ms, 10s or 5m',
    );
  });
});

describe('a list of numbers', () => {
  it('holds single numbers and ranges, each once, in the order given', () => {
    expect(parseNumberList('25', '--irq')).toEqual([25]);
    expect(parseNumberList('3,0-2, 1', '--cpu')).toEqual([3, 0, 1, 2]);
  });

  it.each(['', ',', '1,', 'a', '-1', '1.5', '3-1', '0-99999', '1-2-3', '0x1'])('is not %j', (text) => {
    expect(refusal(() => parseNumberList(text, '--irq'))).toMatch(
      /^RXS_USAGE: reading --irq .*hint: write it like 25/,
    );
  });

  it('gives back what it was made of', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(10_000), { minLength: 1 }), (numbers) => {
        expect(parseNumberList(numbers.join(','), '--irq')).toEqual(numbers);
      }),
    );
  });
});

describe('a count', () => {
  it('is a whole number from 1 on', () => {
    expect([parseCount('1', '-c'), parseCount('100', '-c')]).toEqual([1, 100]);
  });

  it.each(['', '0', '-1', '1.5', '1e3', ' 5', '99999999999999999999', 'ten'])('is not %j', (text) => {
    expect(refusal(() => parseCount(text, '--count'))).toMatch(/^RXS_USAGE: reading --count /);
  });
});
