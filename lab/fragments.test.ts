import { describe, expect, it } from 'vitest';
import { fragments } from './fragments.js';
import { ADDRESSES, checksum, udpFrame } from './frames.js';

const frame = (target: string, bytes: number): Buffer =>
  udpFrame({
    sourcePort: 1,
    port: 2,
    payload: Buffer.from(Array.from({ length: bytes }, (_, i) => i & 0xff)),
    target,
  });

describe('fragments', () => {
  it('of IPv4 make the datagram again, each with a right header', () => {
    const whole = frame(ADDRESSES.guest4, 2500);
    const parts = fragments(whole, 77, 1000);
    expect(parts.length).toBe(3);
    expect(Buffer.concat(parts.map((part) => part.subarray(34)))).toEqual(whole.subarray(34));
    expect(parts.map((part) => checksum(part.subarray(14, 34)))).toEqual([0, 0, 0]);
    expect(parts.map((part) => part.readUInt16BE(18))).toEqual([77, 77, 77]);
    expect(parts.map((part) => part.readUInt16BE(20))).toEqual([0x2000, 0x2000 | 125, 250]);
    expect(parts.map((part) => part.readUInt16BE(16))).toEqual(parts.map((part) => part.length - 14));
  });

  it('of IPv6 make the datagram again, behind a fragment header', () => {
    const whole = frame(ADDRESSES.guest6, 2500);
    const parts = fragments(whole, 77, 1000);
    expect(Buffer.concat(parts.map((part) => part.subarray(62)))).toEqual(whole.subarray(54));
    expect(parts.map((part) => [part[20], part[54], part.readUInt32BE(58)])).toEqual(
      parts.map(() => [44, 17, 77]),
    );
    expect(parts.map((part) => part.readUInt16BE(56))).toEqual([1, 1001, 2000]);
    expect(parts.map((part) => part.readUInt16BE(18))).toEqual(parts.map((part) => part.length - 54));
  });

  it('have sizes that the offset can count', () => {
    expect(() => fragments(frame(ADDRESSES.guest4, 100), 1, 100)).toThrow(RangeError);
  });
});
