import { describe, expect, it } from 'vitest';
import { lostBefore, parsePageLayout, walkPage } from './trace-pages.js';

/** As Linux 6.12 prints it on a 64-bit machine. */
const HEADER = `\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;
\tfield: local_t commit;\toffset:8;\tsize:8;\tsigned:1;
\tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;
\tfield: char data;\toffset:16;\tsize:4080;\tsigned:0;
`;
const LAYOUT = { size: 4096, data: 16 };
const BASE = 5_000n;

/** A page from entries of 32-bit words; its commit word is what they fill, with `flags`. */
function page(time: bigint, words: readonly number[], flags = 0): DataView {
  const view = new DataView(new ArrayBuffer(LAYOUT.size));
  view.setBigUint64(0, time, true);
  view.setUint32(8, (words.length * 4 + flags) >>> 0, true);
  words.forEach((word, index) => view.setUint32(LAYOUT.data + index * 4, word >>> 0, true));
  return view;
}

const head = (kind: number, delta: number): number => delta * 32 + kind;

function walk(view: DataView): { readonly whole: boolean; readonly events: readonly (readonly number[])[] } {
  const events: number[][] = [];
  const whole = walkPage(view, LAYOUT, BASE, (time, start, length) => events.push([time, start, length]));
  return { whole, events };
}

describe('pages of the ring buffer', () => {
  it('are laid out as the kernel says, or not understood', () => {
    expect(parsePageLayout(HEADER)).toEqual(LAYOUT);
    expect(parsePageLayout(HEADER.replace('size:4080', 'size:8176'))).toEqual({ size: 8192, data: 16 });
    expect(parsePageLayout(HEADER.replace('offset:8;\tsize:8', 'offset:8;\tsize:4'))).toBeUndefined();
    expect(parsePageLayout('')).toBeUndefined();
  });

  it('add up their deltas', () => {
    const { whole, events } = walk(page(6_000n, [head(2, 0), 1, 2, head(1, 7), 3]));
    expect(whole).toBe(true);
    expect(events).toEqual([
      [1000, 20, 8],
      [1007, 32, 4],
    ]);
  });

  it('have long entries, times that do not fit a delta, and absolute times', () => {
    const extend = [head(30, 5), 2]; // 2 * 2^27 + 5
    const long = [head(0, 1), 12, 11, 22];
    const absolute = [head(31, 9_000), 0];
    const { whole, events } = walk(page(6_000n, [...extend, ...long, ...absolute, head(1, 0), 3]));
    expect(whole).toBe(true);
    expect(events).toEqual([
      [1000 + 2 * 2 ** 27 + 6, 32, 8],
      [4_000, 52, 4],
    ]);
  });

  it('have discarded entries, whose time passes all the same', () => {
    const { whole, events } = walk(page(6_000n, [head(29, 3), 8, 0, head(1, 4), 9, head(29, 0), 0]));
    expect(whole).toBe(true);
    expect(events).toEqual([[1007, 32, 4]]);
  });

  it('are exact at any uptime', () => {
    const late = page(2n ** 57n + 123n, [head(1, 1), 0]);
    const times: number[] = [];
    walkPage(late, LAYOUT, 2n ** 57n, (time) => times.push(time));
    expect(times).toEqual([124]);
  });

  it.each([
    ['an entry that reaches beyond the page’s end', [head(5, 0), 1]],
    ['a long entry without its word', [head(0, 0)]],
    ['a long entry of no length', [head(0, 0), 0, 1, 2]],
    ['a long entry that reaches beyond', [head(0, 0), 100, 1, 2]],
  ])('are not understood with %s', (_, words) => {
    expect(walk(page(6_000n, words))).toEqual({ whole: false, events: [] });
  });

  it('are not understood when they say to be longer than they are', () => {
    const view = page(6_000n, [head(1, 0), 0]);
    view.setUint32(8, 5_000, true);
    expect(walk(view).whole).toBe(false);
  });

  it('tell what was lost in front of them', () => {
    const words = [head(1, 0), 0];
    expect(lostBefore(page(6_000n, words), LAYOUT)).toBe(0);
    expect(lostBefore(page(6_000n, words, 2 ** 31), LAYOUT)).toBeUndefined();
    const counted = page(6_000n, words, 2 ** 31 + 2 ** 30);
    counted.setBigUint64(LAYOUT.data + 8, 4_242n, true);
    expect(lostBefore(counted, LAYOUT)).toBe(4_242);
    expect(walk(counted).events).toHaveLength(1);
  });
});
