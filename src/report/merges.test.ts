import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addPacket } from '../../test/support/lanes.js';
import { PacketCursor, classify } from '../packet/arrival.js';
import { FATE, Lane } from '../record/lane.js';
import { Merges } from './merges.js';

/** A trace of one lane: packet i was merged into packet `into`, or not. */
function lane(into: readonly (number | undefined)[]): Lane {
  const made = new Lane(3);
  for (const [i, head] of into.entries()) {
    const row = addPacket(made, { driver: i, none: true });
    made.packets.fate[row] = head === undefined ? FATE.read : FATE.merged;
    made.packets.mergedInto[row] = head === undefined ? -1 : made.idOf(head);
  }
  return made;
}

/** What the lines say of who went into whom: pairs of numbers, from the side that could tell. */
function told(into: readonly (number | undefined)[], shown: (i: number) => boolean): [number, number][] {
  const merges = new Merges();
  const cursor = new PacketCursor();
  cursor.lane = lane(into);
  const pairs: [number, number][] = [];
  let number = 0;
  for (cursor.row = 0; cursor.row < into.length; cursor.row++) {
    if (!shown(cursor.row)) continue;
    classify(cursor);
    merges.note(cursor, ++number);
    const head = merges.into(cursor);
    if (head !== undefined) pairs.push([number, head]);
    for (const part of merges.from(cursor)) pairs.push([part, number]);
  }
  return pairs.sort((a, b) => a[0] - b[0]);
}

describe('the numbers of merged packets', () => {
  it('are known in the packet’s line when its head came before, in the head’s line otherwise: once each', () => {
    const merged = fc
      .integer({ min: 1, max: 60 })
      .chain((size) =>
        fc.array(fc.option(fc.nat(size - 1), { nil: undefined }), { minLength: size, maxLength: size }),
      );
    fc.assert(
      fc.property(merged, (wish) => {
        const into = wish.map((head, i) => (head === i ? undefined : head));
        const wanted = into.flatMap((head, i): [number, number][] =>
          head === undefined ? [] : [[i + 1, head + 1]],
        );
        expect(told(into, () => true)).toEqual(wanted);
      }),
    );
  });

  it('are those of the output: what is not shown has none', () => {
    expect(told([undefined, 0, 0, undefined, 3], (i) => i !== 1)).toEqual([
      [2, 1],
      [4, 3],
    ]);
    expect(told([undefined, 0, 3, undefined], (i) => i !== 0 && i !== 3)).toEqual([]);
  });

  it('are remembered for tens of thousands of packets, and forgotten after that, not confused', () => {
    const far = (distance: number): (number | undefined)[] => [
      ...Array<undefined>(distance).fill(undefined),
      0,
    ];
    expect(told(far(60_000), () => true)).toEqual([[60_001, 1]]);
    expect(told(far(70_000), () => true)).toEqual([]);
  });
});
