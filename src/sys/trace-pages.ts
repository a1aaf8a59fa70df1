/**
 * Pages of ftrace's ring buffer, as per_cpu/cpuN/trace_pipe_raw gives them (kernel/trace/ring_buffer.c). Raw and not
 * trace_pipe, because the text has microseconds where the buffer has nanoseconds.
 */

/** Where things lie in a page, from events/header_page. */
export interface PageLayout {
  /** Bytes of a whole page. */
  readonly size: number;
  /** Bytes of a page's head. */
  readonly data: number;
}

/** Reads events/header_page: `field: char data; offset:16; size:4080; signed:0;`. undefined: of another kind. */
export function parsePageLayout(text: string): PageLayout | undefined {
  const field = (name: string): readonly [number, number] | undefined => {
    const match = new RegExp(`field: .* ${name};\\s*offset:(\\d+);\\s*size:(\\d+);`).exec(text);
    return match === null ? undefined : [Number(match[1]), Number(match[2])];
  };
  const [time, commit, data] = [field('timestamp'), field('commit'), field('data')];
  if (time?.[0] !== 0 || time[1] !== 8 || commit?.[0] !== 8 || commit[1] !== 8 || data === undefined)
    return undefined;
  return { size: data[0] + data[1], data: data[0] };
}

/** Low bits of `commit`: bytes of events in the page. */
const LENGTH_MASK = (1 << 27) - 1;
/** Flags of `commit` (ring_buffer_read_page): events were lost in front of this page; how many is stored behind its events. */
const MISSED = 1 << 31;
const MISSED_STORED = 1 << 30;

/** type_len of an entry: below, four times it is the length. */
const PADDING = 29;
const TIME_EXTEND = 30;
const TIME_STAMP = 31;

const UNIT = 134_217_728; // 2^27: what a delta has room for
/** The five bits that an absolute time stamp has no room for. */
const UPPER = 0xf800_0000_0000_0000n;

/** Events lost in front of a page; undefined: some, and the kernel had no room to say how many. */
export function lostBefore(page: DataView, layout: PageLayout): number | undefined {
  const commit = page.getUint32(8, true);
  if ((commit & MISSED) === 0) return 0;
  if ((commit & MISSED_STORED) === 0) return undefined;
  const at = layout.data + (commit & LENGTH_MASK);
  if (at + 8 > page.byteLength) return undefined;
  return page.getUint32(at + 4, true) * 4_294_967_296 + page.getUint32(at, true);
}

/**
 * Walks the events of a page in their order.
 * @param base what times are relative to, in the buffer's clock
 * @param visit gets a record's time, its first byte (common_type) and its length, rounded up to four
 * @returns false where the page ends in the middle of an entry
 */
export function walkPage(
  page: DataView,
  layout: PageLayout,
  base: bigint,
  visit: (time: number, start: number, length: number) => void,
): boolean {
  const stamp = page.getBigUint64(0, true);
  let time = Number(stamp - base);
  const end = layout.data + (page.getUint32(8, true) & LENGTH_MASK);
  if (end > page.byteLength) return false;
  let at = layout.data;
  while (at + 4 <= end) {
    const head = page.getUint32(at, true);
    const kind = head & 31;
    const delta = head >>> 5;
    const long = kind === 0 || kind >= PADDING;
    if (kind === PADDING && delta === 0) return true; // the rest of the page is empty
    if (long && at + 8 > end) return false;
    const word = long ? page.getUint32(at + 4, true) : 0;
    if (kind === TIME_STAMP) {
      // The upper bits are those of the page (rb_fix_abs_ts).
      const low = (BigInt(word) << 27n) | BigInt(delta);
      time = Number(((stamp & UPPER) | low) - base);
      at += 8;
    } else if (kind === TIME_EXTEND) {
      time += word * UNIT + delta;
      at += 8;
    } else {
      time += delta;
      // A long one's word counts itself; a discarded entry (padding with a time) is laid out like a long one.
      const start = long ? at + 8 : at + 4;
      const next = long ? at + 4 + word : start + kind * 4;
      if (next > end || next < start) return false;
      if (kind !== PADDING) visit(time, start, next - start);
      at = next;
    }
  }
  return true;
}
