import { describe, expect, it } from 'vitest';
import { RECORD } from './attr.js';
import { PerfRing, type PerfVisitor } from './ring.js';

const BASE = (73_811n << 32n) + 4_294_967_000n;
const PAGE = 4096;

/** The kernel's end of a ring: writes records where they come to lie, over the end and on from the start. */
class Writer {
  readonly control = new BigUint64Array(PAGE / 8);
  readonly data: Uint8Array;
  head: bigint;

  constructor(bytes = PAGE, start = 0n) {
    this.data = new Uint8Array(bytes);
    this.head = start;
    this.control[128] = this.control[129] = start;
  }

  put(bytes: Uint8Array): void {
    for (const byte of bytes) this.data[Number(this.head++ % BigInt(this.data.length))] = byte;
    this.control[128] = this.head;
  }

  get free(): number {
    return this.data.length - Number(this.head - (this.control[129] as bigint));
  }

  reader(): PerfRing {
    return new PerfRing(this.control, new Uint32Array(this.data.buffer), BASE);
  }
}

function record(type: number, size: number, words: readonly (readonly [number, bigint])[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(size));
  view.setUint32(0, type, true);
  view.setUint16(6, size, true);
  for (const [at, value] of words) view.setBigUint64(at, value, true);
  return new Uint8Array(view.buffer);
}

/** A sample of event `id` whose raw part is `raw` bytes long, all of them `mark`. */
function sample(id: number, time: number, raw = 20, mark = 7): Uint8Array {
  const bytes = record(RECORD.sample, Math.ceil((36 + raw) / 8) * 8, [
    [8, BigInt(id)],
    [16, BASE + BigInt(time)],
    [24, 1n],
  ]);
  new DataView(bytes.buffer).setUint32(32, raw, true);
  bytes.fill(mark, 36, 36 + raw);
  return bytes;
}

const lost = (count: number, time: number): Uint8Array =>
  record(RECORD.lost, 48, [
    [8, 5n],
    [16, BigInt(count)],
    [24, BASE + BigInt(time)],
  ]);

type Seen = readonly [what: string, ...numbers: number[]];

function collector(): PerfVisitor & { readonly seen: Seen[] } {
  const seen: Seen[] = [];
  return {
    seen,
    sample: (identifier, time, cpu, view, at, bytes) => {
      const marks = new Set(new Uint8Array(view.buffer, view.byteOffset + at, bytes));
      seen.push(['sample', identifier, time, cpu, bytes, ...marks]);
    },
    gap: (count, time) => seen.push(['gap', count, time]),
    broken: () => seen.push(['broken']),
  };
}

describe('a perf ring', () => {
  it('gives samples with their times across a 32-bit carry, and their room back', () => {
    const writer = new Writer();
    const ring = writer.reader();
    writer.put(sample(3, 100));
    writer.put(sample(4, 5_000_000_000, 28));
    const into = collector();
    expect(ring.drain(Number.POSITIVE_INFINITY, into)).toBe(2);
    expect(into.seen).toEqual([
      ['sample', 3, 100, 1, 20, 7],
      ['sample', 4, 5_000_000_000, 1, 28, 7],
    ]);
    expect(writer.control[129]).toBe(writer.head);
  });

  it('keeps what may still be overtaken, and visits by time', () => {
    const writer = new Writer();
    const ring = writer.reader();
    // An interrupt came between the stamp of 100 and its room.
    writer.put(sample(1, 101));
    writer.put(sample(2, 103));
    const first = collector();
    expect(ring.drain(99, first)).toBe(0);
    expect(writer.control[129]).toBe(0n);
    writer.put(sample(3, 100));
    writer.put(sample(4, 200));
    ring.drain(150, first);
    expect(first.seen.map(([, id]) => id)).toEqual([3, 1, 2]);
    // The room of the last one is not free, that of all before it is.
    expect(writer.control[129]).toBe(writer.head - BigInt(sample(4, 200).length));
    const last = collector();
    ring.drain(Number.POSITIVE_INFINITY, last);
    expect(last.seen.map(([, id]) => id)).toEqual([4]);
    expect(writer.control[129]).toBe(writer.head);
  });

  it('reads records that run over the end of the ring, wherever they are cut', () => {
    for (let cut = 8; cut < 96; cut += 8) {
      const writer = new Writer(PAGE, BigInt(PAGE * 3 - cut));
      const ring = writer.reader();
      writer.put(sample(9, 1000, 60, cut));
      writer.put(sample(10, 1001, 4, 1));
      const into = collector();
      ring.drain(Number.POSITIVE_INFINITY, into);
      expect(into.seen).toEqual([
        ['sample', 9, 1000, 1, 60, cut],
        ['sample', 10, 1001, 1, 4, 1],
      ]);
    }
  });

  it('tells where events found no room, in the order of time; passes over throttling and what it does not know', () => {
    const writer = new Writer();
    const ring = writer.reader();
    writer.put(sample(1, 10));
    writer.put(record(RECORD.throttle, 56, []));
    writer.put(lost(17, 20));
    writer.put(sample(2, 20));
    writer.put(record(RECORD.unthrottle, 56, []));
    writer.put(record(77, 16, []));
    writer.put(
      record(RECORD.lostSamples, 40, [
        [8, 4n],
        [16, BASE + 30n],
      ]),
    );
    const into = collector();
    ring.drain(Number.POSITIVE_INFINITY, into);
    expect(into.seen).toEqual([
      ['sample', 1, 10, 1, 20, 7],
      ['gap', 17, 20],
      ['sample', 2, 20, 1, 20, 7],
      ['gap', 4, 30],
    ]);
    expect(writer.control[129]).toBe(writer.head);
  });

  it('keeps up with 20,000 records of all sizes through one page', () => {
    const writer = new Writer();
    const ring = writer.reader();
    const into = collector();
    const sent: number[] = [];
    for (let id = 1; id <= 20_000; id++) {
      const bytes = sample(id, id * 10, 4 + ((id * 7) % 300));
      while (writer.free < bytes.length) ring.drain((id - 3) * 10, into);
      writer.put(bytes);
      sent.push(id);
    }
    ring.drain(Number.POSITIVE_INFINITY, into);
    expect(into.seen.map(([, id]) => id)).toEqual(sent);
  });

  it('survives any bytes: reads no further than the head, says that something is broken, goes on behind it', () => {
    let state = 12_345;
    const random = (below: number): number => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      return (state >>> 8) % below;
    };
    let broken = 0;
    for (let round = 0; round < 3000; round++) {
      const writer = new Writer(PAGE, BigInt(random(512) * 8));
      const ring = writer.reader();
      const bytes = new Uint8Array(Array.from({ length: 20 }, (_, i) => [...sample(i, i)]).flat());
      for (let i = random(12); i >= 0; i--) bytes[random(bytes.length)] = random(256);
      writer.put(bytes);
      const into = collector();
      ring.drain(Number.POSITIVE_INFINITY, into);
      broken += into.seen.filter(([what]) => what === 'broken').length;
      expect(writer.control[129]).toBe(writer.head);
      writer.put(sample(99, 50_000));
      ring.drain(Number.POSITIVE_INFINITY, into);
      expect(into.seen.at(-1)).toEqual(['sample', 99, 50_000, 1, 20, 7]);
    }
    expect(broken).toBeGreaterThan(100);
  });
});
