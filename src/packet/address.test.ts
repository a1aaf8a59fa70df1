import * as fc from 'fast-check';
import { isIPv4, isIPv6 } from 'node:net';
import { describe, expect, it } from 'vitest';
import { ipv4Text, ipv6Text, parseAddress } from './address.js';

/** The address as the URL standard's serializer writes it: RFC 5952 as well, and written by others. */
function normalized(bytes: Uint8Array): string {
  const groups = Array.from({ length: 8 }, (_, i) => (bytes[2 * i]! * 256 + bytes[2 * i + 1]!).toString(16));
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}

const text = (groups: readonly number[]): string =>
  ipv6Text(Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff])), 0);

/** Groups that are often zero: the runs are what is hard. */
const addresses = fc
  .array(fc.oneof(fc.constant(0), fc.constant(0), fc.constant(1), fc.nat(0xffff)), {
    minLength: 8,
    maxLength: 8,
  })
  .map((groups) => Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff])));

describe('an IPv6 address', () => {
  it('is written as the URL standard writes it', () => {
    fc.assert(
      fc.property(addresses, (bytes) => {
        const shown = ipv6Text(bytes, 0);
        expect(shown).toBe(normalized(bytes));
        expect(isIPv6(shown)).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  it('has one :: for the longest run of zeros, the first of equal ones, and none for a single zero', () => {
    expect(text([0, 0, 0, 0, 0, 0, 0, 0])).toBe('::');
    expect(text([0, 0, 0, 0, 0, 0, 0, 1])).toBe('::1');
    expect(text([0xfe80, 0, 0, 0, 0, 0, 0, 0])).toBe('fe80::');
    expect(text([0x2001, 0xdb8, 0, 0, 1, 0, 0, 1])).toBe('2001:db8::1:0:0:1');
    expect(text([1, 0, 2, 3, 4, 5, 6, 7])).toBe('1:0:2:3:4:5:6:7');
    expect(text([0xabcd, 0, 1, 0, 0, 0, 2, 0])).toBe('abcd:0:1::2:0');
  });

  it('is read from where it starts', () => {
    const bytes = Uint8Array.from([9, 9, 9, ...Array<number>(15).fill(0), 1]);
    expect(ipv6Text(bytes, 3)).toBe('::1');
  });
});

describe('an IPv4 address', () => {
  it('is a dotted quad', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 6, maxLength: 6 }), (bytes) => {
        const shown = ipv4Text(bytes, 2);
        expect(isIPv4(shown)).toBe(true);
        expect(shown.split('.').map(Number)).toEqual([...bytes.subarray(2)]);
      }),
    );
  });
});

describe('an address that people write', () => {
  it('is read back from what is printed', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (bytes) => {
        expect(parseAddress(ipv6Text(bytes, 0))).toEqual(bytes);
        expect(parseAddress(ipv4Text(bytes, 0))).toEqual(bytes.slice(0, 4));
      }),
    );
  });

  it('is an address to us when it is one to Node, and the same one', () => {
    const part = fc.constantFrom(
      '0',
      '1',
      'ff',
      'fd77',
      '10',
      '255',
      '256',
      '01',
      ':',
      '::',
      '.',
      '10.0.0.1',
      'g',
      '',
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 12 }), (parts) => {
        const written = parts.join('');
        const bytes = parseAddress(written);
        expect([written, bytes?.length]).toEqual([
          written,
          isIPv4(written) ? 4 : isIPv6(written) ? 16 : undefined,
        ]);
        if (bytes?.length === 16) expect(ipv6Text(bytes, 0)).toBe(normalized(bytes));
      }),
      { numRuns: 5000 },
    );
  });

  it.each([
    ['::', 16],
    ['::1', 16],
    ['1::', 16],
    ['1:2:3:4:5:6:7:8', 16],
    ['::ffff:10.0.0.1', 16],
    ['1:2:3:4:5:6:7::', 16],
    ['10.0.0.1', 4],
    ['1:2:3:4:5:6:7', undefined],
    ['1::2::3', undefined],
    [':1:2:3:4:5:6:7', undefined],
    ['1:2:3:4:5:6:7:8:9', undefined],
    ['::1.2.3', undefined],
    ['1.2.3.04', undefined],
    ['12345::', undefined],
    ['', undefined],
  ])('%j has %s bytes', (written, length) => {
    expect(parseAddress(written)?.length).toBe(length);
  });
});
