import { describe, expect, it } from 'vitest';
import { RxError } from '../../base/errors.js';
import { readObject } from '../../sys/package.js';
import { LIMITS } from './layout.gen.js';
import { SLOT_ROOM, withFilter } from './slot.js';

const nothing = (count: number): Buffer =>
  Buffer.concat(Array.from({ length: count }, () => Buffer.from([5, 0, 0, 0, 0, 0, 0, 0])));
const code = (count: number): Buffer =>
  Buffer.concat(
    Array.from({ length: count }, (_, index) => Buffer.from([0xb4, 0, 0, 0, index & 0xff, 1, 0, 0])),
  );

describe('the slot of the BPF object', () => {
  const object = readObject('rxstamp.bpf.o');

  it('takes a filter at its end, and a jump to it at its beginning; nothing else changes', () => {
    const filter = code(7);
    const patched = Buffer.from(withFilter(object, filter));
    expect(patched.length).toBe(object.length);
    const changed = [...patched.keys()].filter((index) => patched[index] !== object[index]);
    const first = (changed[0] as number) & ~7;
    const end = first + LIMITS.SLOT_INSTRUCTIONS * 8;
    expect(changed.filter((index) => index >= end)).toEqual([]);
    expect(patched.subarray(end - filter.length, end)).toEqual(filter);
    // w0 = 0; if w0 == 0 goto the filter; then what is left of the run.
    expect(patched.readInt32LE(first)).toBe(0xb4);
    expect(patched.readInt16LE(first + 10)).toBe(LIMITS.SLOT_INSTRUCTIONS - 2 - 7);
    const rest = patched.subarray(first + 16, end - filter.length);
    expect(rest.equals(nothing(LIMITS.SLOT_INSTRUCTIONS - 2 - 7))).toBe(true);
  });

  it('leaves the object that it was given alone', () => {
    const before = Buffer.from(object);
    withFilter(object, code(3));
    expect(object.equals(before)).toBe(true);
  });

  it('is filled to the last instruction, and not beyond', () => {
    const patched = Buffer.from(withFilter(object, code(SLOT_ROOM)));
    expect(patched.includes(code(SLOT_ROOM))).toBe(true);
    expect(() => withFilter(object, code(SLOT_ROOM + 1))).toThrow(RxError);
  });

  it.each([
    ['none', Buffer.alloc(100)],
    ['a shorter run', nothing(LIMITS.SLOT_INSTRUCTIONS - 1)],
    ['a longer run', nothing(LIMITS.SLOT_INSTRUCTIONS + 1)],
    [
      'two',
      Buffer.concat([nothing(LIMITS.SLOT_INSTRUCTIONS), Buffer.alloc(8), nothing(LIMITS.SLOT_INSTRUCTIONS)]),
    ],
  ])('must be there once: %s', (_name, bytes) => {
    expect(() => withFilter(bytes, code(1))).toThrow(/writing the filter into the BPF object/);
  });
});
