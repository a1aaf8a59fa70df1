/**
 * Reading the rings: positions, chunks and wrap-around, over plain words. Where the words come from (maps of the
 * kernel, or a test) is not known here. A position counts bytes since the start, modulo 2^32, like the writer's.
 */
import { RxError } from '../../base/errors.js';
import { CHUNK, CPU, LIMITS, TAIL } from './layout.gen.js';

/** Called for the record at index `word` of `words`, of `kind`, from `cpu`. */
export type RecordVisitor = (words: Uint32Array, word: number, kind: number, cpu: number) => void;

/** The words of the three maps that a ring is made of. */
export interface RingWords {
  /** Records, chunk behind chunk. */
  readonly chunks: Uint32Array;
  /** Per possible CPU: the writers' positions. */
  readonly cpus: Uint32Array;
  /** Per ring: our position, for the writer to see. */
  readonly tails: Uint32Array;
}

const CHUNK_WORDS = CHUNK.SIZE / 4;

function badRecord(ring: number, position: number): RxError {
  return new RxError('RXS_INTERNAL', {
    doing: 'reading the ring',
    subject: String(ring),
    why: `the record at ${position} has no size`,
    hint: 'build rxstamp again with `npm run build`; if it comes back, please report it',
  });
}

/** The reader's end of all rings. Ring c < cpus: softirq side of CPU c; ring cpus + c: its interrupts. */
export class RingReader {
  private readonly words: RingWords;
  private readonly positions: Uint32Array;
  private readonly cpus: number;
  private readonly chunksPerRing: number;

  /** @param chunksPerRing a power of two */
  constructor(words: RingWords, cpus: number, rings: number, chunksPerRing: number) {
    this.words = words;
    this.cpus = cpus;
    this.chunksPerRing = chunksPerRing;
    this.positions = Uint32Array.from(
      { length: rings },
      (_, ring) => words.tails[(ring * TAIL.SIZE) / 4] ?? 0,
    );
  }

  /** Visits every record that a ring holds now and gives the room back. Returns how many there were. */
  drain(ring: number, visit: RecordVisitor): number {
    const { chunks, cpus, tails } = this.words;
    const cpu = ring % this.cpus;
    // The writer stores the head after the record; x86 and Atomics keep our loads in that order.
    const head = Atomics.load(cpus, (cpu * CPU.SIZE + (ring < this.cpus ? CPU.head : CPU.irqHead)) / 4);
    let position = this.positions[ring] as number;
    if (position === head) return 0;
    const first = ring * this.chunksPerRing;
    const mask = this.chunksPerRing - 1;
    let records = 0;
    while (position !== head) {
      const chunk = first + ((position >>> 16) & mask);
      const word = chunk * CHUNK_WORDS + ((position & (LIMITS.CHUNK_BYTES - 1)) >>> 2);
      const start = chunks[word] as number;
      const size = start >>> 16;
      if (size === 0) throw badRecord(ring, position);
      visit(chunks, word, start & 0xff, cpu);
      position = (position + size) >>> 0;
      records++;
    }
    this.positions[ring] = position;
    Atomics.store(tails, (ring * TAIL.SIZE) / 4, position);
    return records;
  }
}
