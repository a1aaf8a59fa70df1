/**
 * Real ring records, decoded and joined over and over in one process: what the reader does per packet without the kernel
 * side, formatting and output. The packet records are copied out of the ring as the kernel wrote them. A veth pair has no
 * polls, so a second measurement puts a poll record behind every k-th of the same packets; those are made here.
 */
import { Decoder } from '../../src/method/ebpf/decode.js';
import {
  BEGUN,
  CAUSE,
  CAUSE_FLAG,
  KIND,
  PACKET_FLAG,
  POLL,
  POLL_FLAG,
} from '../../src/method/ebpf/layout.gen.js';
import { PacketCursor } from '../../src/packet/arrival.js';
import { Joiner } from '../../src/packet/join.js';
import { Lane } from '../../src/record/lane.js';
import type { RecordSource } from '../../src/record/source.js';
import { spread, type Spread } from '../../src/base/stats.js';

/** Records one behind the other, as in the ring. */
export interface Tape {
  readonly words: Uint32Array;
  /** Where each record starts, in words. */
  readonly at: Uint32Array;
  readonly packets: number;
}

/** Packets per drain, about what 4 ms bring at 1 M packets/s. */
const DRAIN = 4096;
const WARM_UP_MS = 1500;
const MEASURE_MS = 3000;

/** A tape of records. */
export function tape(records: readonly Uint32Array[]): Tape {
  const words = new Uint32Array(records.reduce((sum, record) => sum + record.length, 0));
  const at = new Uint32Array(records.length);
  let next = 0;
  let packets = 0;
  records.forEach((record, index) => {
    words.set(record, next);
    at[index] = next;
    next += record.length;
    if (((record[0] as number) & 0xff) === KIND.PACKET) packets++;
  });
  return { words, at, packets };
}

/** A poll record that closes `packets` packets whose last record is `last`, brought by an interrupt. */
function pollRecord(last: Uint32Array, packets: number): Uint32Array {
  const record = new Uint32Array(POLL.SIZE / 4);
  const bytes = new DataView(record.buffer);
  const end = new DataView(last.buffer, last.byteOffset).getBigUint64(8, true) + 500n;
  record[0] = KIND.POLL | (POLL_FLAG.POLL_CAUSED << 8) | (POLL.SIZE << 16);
  const set32 = (offset: number, value: number): void => bytes.setUint32(offset, value, true);
  const set64 = (offset: number, value: bigint): void => bytes.setBigUint64(offset, value, true);
  set32(POLL.begun + BEGUN.packets, packets);
  set32(POLL.begun + BEGUN.seen, packets);
  set64(POLL.end, end);
  set64(POLL.begun + BEGUN.start, end - 3000n);
  set64(POLL.begun + BEGUN.softirq, end - 3500n);
  set64(POLL.begun + BEGUN.previousEnd, end - 90_000n);
  set64(POLL.begun + BEGUN.cause + CAUSE.entry, end - 6000n);
  set64(POLL.begun + BEGUN.cause + CAUSE.isr, end - 5000n);
  set64(POLL.begun + BEGUN.cause + CAUSE.raise, end - 4500n);
  set32(POLL.begun + BEGUN.cause + CAUSE.irq, 25);
  set32(POLL.begun + BEGUN.cause + CAUSE.flags, CAUSE_FLAG.CAUSE_VALID);
  set32(POLL.work, packets);
  set32(POLL.budget, 64);
  set32(POLL.napiId, 8193);
  return record;
}

/** The same packets in polls of `batch`. */
export function inPolls(records: readonly Uint32Array[], batch: number): Uint32Array[] {
  const out: Uint32Array[] = [];
  for (let from = 0; from < records.length; from += batch) {
    const group = records.slice(from, from + batch).map((record) => {
      const copy = record.slice();
      copy[0] = (copy[0] as number) | (PACKET_FLAG.PACKET_OPENED << 8);
      return copy;
    });
    out.push(...group, pollRecord(group.at(-1) as Uint32Array, group.length));
  }
  return out;
}

/** A source whose records come from a tape. */
class TapeSource implements RecordSource {
  readonly base: bigint;
  readonly lanes = [new Lane(0)];
  readonly ways: RecordSource['ways'];
  readonly drainedTo = Number.POSITIVE_INFINITY;
  onLater: RecordSource['onLater'] = () => {};
  dropReasonName(): undefined {}
  onInterrupt: RecordSource['onInterrupt'] = () => {};
  onLoss: RecordSource['onLoss'] = () => {};
  readonly #tape: Tape;
  readonly #decoder: Decoder;
  #next = 0;

  /** True when the next drain starts from the front. */
  get rewound(): boolean {
    return this.#next === 0;
  }

  constructor(of: Tape, base: bigint, ways: RecordSource['ways']) {
    this.#tape = of;
    this.base = base;
    this.ways = ways;
    this.#decoder = new Decoder(base);
  }

  drain(): number {
    const lane = this.lanes[0] as Lane;
    const { words, at, packets } = this.#tape;
    let end = Math.min(at.length, this.#next + DRAIN);
    // A drain that is told to be the last gives up on a poll that has not ended: stop behind one.
    if (packets < at.length) {
      while (end < at.length && ((words[at[end - 1] as number] as number) & 0xff) !== KIND.POLL) end++;
    }
    const from = this.#next;
    for (let i = from; i < end; i++) {
      const word = at[i] as number;
      const kind = (words[word] as number) & 0xff;
      if (kind === KIND.PACKET) this.#decoder.packet(lane, words, word);
      else if (kind === KIND.POLL) this.#decoder.poll(lane, words, word);
    }
    this.#next = end === at.length ? 0 : end;
    return end - from;
  }

  stop(): void {}
  close(): void {}
}

/** Nanoseconds per packet to decode and join a tape: spread over its repetitions behind a warm-up. */
export function measureReplay(of: Tape, base: bigint, ways: RecordSource['ways']): Spread {
  const source = new TapeSource(of, base, ways);
  const joiner = new Joiner(source, 'driver');
  const cursor = new PacketCursor();
  const once = (): number => {
    const from = process.hrtime.bigint();
    let packets = 0;
    let joined = 0;
    do {
      source.drain();
      joiner.begin(true);
      while (joiner.next(cursor, true)) {
        packets++;
        if (cursor.poll >= 0) joined++;
      }
      joiner.end();
    } while (!source.rewound);
    const spent = Number(process.hrtime.bigint() - from);
    const wanted = of.at.length === of.packets ? 0 : packets;
    if (joined !== wanted) throw new Error(`replay joined ${joined} of ${wanted} packets to their poll`);
    if (packets !== of.packets) throw new Error(`replay gave ${packets} of ${of.packets} packets`);
    return spent / packets;
  };
  const repeat = (milliseconds: number): number[] => {
    const costs: number[] = [];
    for (const end = performance.now() + milliseconds; performance.now() < end; ) costs.push(once());
    return costs;
  };
  repeat(WARM_UP_MS);
  return spread(repeat(MEASURE_MS));
}
