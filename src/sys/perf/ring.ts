/**
 * The reader's end of one perf ring: positions, wrap-around, and the order of time. Where the words come from (a mapping
 * of the kernel's, or a test) is not known here.
 *
 * A record's time is read before its room is taken (perf_prepare_sample, perf_output_begin), so an interrupt in between
 * comes first in the ring with a later time. Records are therefore looked at when they come, visited in the order of
 * time when nothing earlier can come any more, and their room is given back then.
 */
import { RECORD } from './attr.js';

const HALF = 4_294_967_296;
/** Indexes of 64-bit words of struct perf_event_mmap_page. */
const HEAD = 1024 / 8;
const TAIL = 1032 / 8;

/** Fixed parts of the records, bytes: with sample_id (time, cpu, identifier) at the end of all but samples. */
const SAMPLE = { identifier: 8, time: 16, cpu: 24, rawSize: 32, raw: 36 } as const;
const LOST = { id: 8, count: 16, time: 24, SIZE: 48 } as const;
const LOST_SAMPLES = { count: 8, time: 16, SIZE: 40 } as const;

/** Whom the records are for. */
export interface PerfVisitor {
  /** `bytes` of the event `identifier` at `at` of `view`, valid during the call. Time relative to base. */
  sample(identifier: number, time: number, cpu: number, view: DataView, at: number, bytes: number): void;
  /** Events found no room between the record before and this one. */
  gap(count: number, time: number): void;
  /** Bytes that are no record: all that was in the ring is skipped. */
  broken(): void;
}

/** One ring. */
export class PerfRing {
  private readonly control: BigUint64Array;
  private readonly words: Uint32Array;
  private readonly size: number;
  private readonly view: DataView;
  private readonly straight: Uint8Array = new Uint8Array(0x1_0000);
  private readonly straightView = new DataView(this.straight.buffer);
  private readonly bytes: Uint8Array;
  private readonly baseHigh: number;
  private readonly baseLow: number;
  /** Up to where records have been looked at. */
  private scanned: number;
  /** The records that wait, by time: where they begin, and when. */
  private waiting = 0;
  private positions = new Float64Array(1024);
  private times = new Float64Array(1024);

  /**
   * @param control the ring's first page
   * @param data its other pages, a power of two of them
   * @param base CLOCK_MONOTONIC nanoseconds
   */
  constructor(control: BigUint64Array, data: Uint32Array, base: bigint) {
    this.control = control;
    this.words = data;
    this.size = data.byteLength;
    this.view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    this.bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    this.baseHigh = Number(base >> 32n);
    this.baseLow = Number(base & 0xffff_ffffn);
    this.scanned = Number(control[TAIL]);
  }

  /**
   * Visits the records up to a time in its order and gives their room back.
   * @param upTo relative to base; Infinity: nothing more will come
   * @returns records visited
   */
  drain(upTo: number, visitor: PerfVisitor): number {
    // The writer stores the head behind the record; x86 and Atomics keep our loads in that order.
    const head = Number(Atomics.load(this.control, HEAD));
    if (!this.scan(head)) {
      this.waiting = 0;
      visitor.broken();
    }
    let visited = 0;
    while (visited < this.waiting && (this.times[visited] as number) <= upTo) {
      this.visit(this.positions[visited] as number, this.times[visited] as number, visitor);
      visited++;
    }
    if (visited > 0) {
      this.positions.copyWithin(0, visited, this.waiting);
      this.times.copyWithin(0, visited, this.waiting);
      this.waiting -= visited;
    }
    let tail = this.scanned;
    for (let i = 0; i < this.waiting; i++) tail = Math.min(tail, this.positions[i] as number);
    if (BigInt(tail) !== this.control[TAIL]) Atomics.store(this.control, TAIL, BigInt(tail));
    return visited;
  }

  private word(position: number): number {
    return this.words[(position % this.size) >>> 2] as number;
  }

  /** Puts what is new among what waits. @returns false where it is not whole records */
  private scan(head: number): boolean {
    let position = this.scanned;
    this.scanned = head;
    while (position < head) {
      const type = this.word(position);
      const size = this.word(position + 4) >>> 16;
      if (size < 8 || size % 8 !== 0 || position + size > head) return false;
      const at = timeOffset(type, size);
      if (at > 0) this.add(position, this.time(position + at));
      else if (at < 0) return false;
      position += size;
    }
    return true;
  }

  private time(position: number): number {
    return (this.word(position + 4) - this.baseHigh) * HALF + (this.word(position) - this.baseLow);
  }

  private add(position: number, time: number): void {
    if (this.waiting === this.times.length) {
      const [positions, times] = [this.positions, this.times];
      this.positions = new Float64Array(this.waiting * 2);
      this.times = new Float64Array(this.waiting * 2);
      this.positions.set(positions);
      this.times.set(times);
    }
    let place = this.waiting++;
    for (; place > 0 && (this.times[place - 1] as number) > time; place--) {
      this.positions[place] = this.positions[place - 1] as number;
      this.times[place] = this.times[place - 1] as number;
    }
    this.positions[place] = position;
    this.times[place] = time;
  }

  private visit(position: number, time: number, visitor: PerfVisitor): void {
    const type = this.word(position);
    const size = this.word(position + 4) >>> 16;
    let at = position % this.size;
    let { view } = this;
    if (at + size > this.size) {
      // It runs over the end of the ring: laid out in one piece.
      this.straight.set(this.bytes.subarray(at));
      this.straight.set(this.bytes.subarray(0, size - (this.size - at)), this.size - at);
      at = 0;
      view = this.straightView;
    }
    if (type === RECORD.sample) {
      const length = view.getUint32(at + SAMPLE.rawSize, true);
      if (length > size - SAMPLE.raw) visitor.broken();
      else {
        const identifier = u64(view, at + SAMPLE.identifier);
        const cpu = view.getUint32(at + SAMPLE.cpu, true);
        visitor.sample(identifier, time, cpu, view, at + SAMPLE.raw, length);
      }
    } else visitor.gap(u64(view, at + (type === RECORD.lost ? LOST.count : LOST_SAMPLES.count)), time);
  }
}

function u64(view: DataView, at: number): number {
  return view.getUint32(at + 4, true) * HALF + view.getUint32(at, true);
}

/** Where a record has its time; 0: it says nothing of interest, -1: it is too short to be one. */
function timeOffset(type: number, size: number): number {
  switch (type & 0xffff) {
    case RECORD.sample:
      return size >= SAMPLE.raw ? SAMPLE.time : -1;
    case RECORD.lost:
      return size >= LOST.SIZE ? LOST.time : -1;
    case RECORD.lostSamples:
      return size >= LOST_SAMPLES.SIZE ? LOST_SAMPLES.time : -1;
    default:
      return 0;
  }
}
