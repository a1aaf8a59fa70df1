/**
 * The per-CPU rings, mapped. Cast: `chunks` the records (read only), `cpus` the writers' positions and loss counters
 * (writable only for the CPU switch), `tails` our positions. One writer per ring is the kernel's CPU, the one reader
 * is this object; ARCHITECTURE.md, "The ring", has the protocol.
 */
import { RxError } from '../../base/errors.js';
import { type Mapping, mapShared } from '../../sys/libc.js';
import type { BpfObject } from '../../sys/libbpf.js';
import { CHUNK, CPU, LIMITS, LOSS, TAIL } from './layout.gen.js';

const PAGE = 4096;
const pages = (bytes: number): number => Math.ceil(bytes / PAGE) * PAGE;

/** Called for the record at index `word` of `words`, of `kind`, from `cpu`. */
export type RecordVisitor = (words: Uint32Array, word: number, kind: number, cpu: number) => void;

function badRecord(ring: number, position: number): RxError {
  return new RxError('RXS_INTERNAL', {
    doing: 'reading the ring',
    subject: String(ring),
    why: `the record at ${position} has no size`,
    hint: 'build rxstamp again with `npm run build`; if it comes back, please report it',
  });
}

/** All rings of a loaded object. Ring c < cpus: softirq side of CPU c; ring cpus + c: its interrupts. */
export class Rings {
  private readonly mappings: Mapping[];
  private readonly words: Uint32Array;
  private readonly cpuWords: Uint32Array;
  private readonly tailWords: Uint32Array;
  private readonly positions: Uint32Array;
  private readonly chunkWords = CHUNK.SIZE / 4;
  readonly cpus: number;
  readonly chunksPerRing: number;

  constructor(object: BpfObject, cpus: number, rings: number, chunksPerRing: number) {
    const map = (name: string, bytes: number, writable: boolean): Mapping =>
      mapShared(object.mapFd(name), pages(bytes), 0, writable);
    const chunks = map('chunks', rings * chunksPerRing * CHUNK.SIZE, false);
    const states = map('cpus', cpus * CPU.SIZE, true);
    const tails = map('tails', rings * TAIL.SIZE, true);
    this.mappings = [chunks, states, tails];
    this.words = new Uint32Array(chunks.buffer);
    this.cpuWords = new Uint32Array(states.buffer);
    this.tailWords = new Uint32Array(tails.buffer);
    this.positions = new Uint32Array(rings);
    this.cpus = cpus;
    this.chunksPerRing = chunksPerRing;
  }

  /** Lets the programs of a CPU write; only looked at when the CPU filter is on. */
  switchCpu(cpu: number, on: boolean): void {
    this.cpuWords[(cpu * CPU.SIZE + CPU.on) / 4] = on ? 1 : 0;
  }

  /** Visits every record that a ring holds now and gives the room back. Returns how many there were. */
  drain(ring: number, visit: RecordVisitor): number {
    const cpu = ring % this.cpus;
    const headWord = (cpu * CPU.SIZE + (ring < this.cpus ? CPU.head : CPU.irqHead)) / 4;
    // The writer stores the head after the record; x86 and Atomics keep our loads in that order.
    const head = Atomics.load(this.cpuWords, headWord);
    let position = this.positions[ring] as number;
    if (position === head) return 0;
    const { words, chunkWords, chunksPerRing } = this;
    let records = 0;
    while (position !== head) {
      const chunk = ring * chunksPerRing + ((position >>> 16) & (chunksPerRing - 1));
      const word = chunk * chunkWords + ((position & (LIMITS.CHUNK_BYTES - 1)) >>> 2);
      const first = words[word] as number;
      visit(words, word, first & 0xff, cpu);
      const size = first >>> 16;
      if (size === 0) throw badRecord(ring, position);
      position = (position + size) >>> 0;
      records++;
    }
    this.positions[ring] = position;
    Atomics.store(this.tailWords, (ring * TAIL.SIZE) / 4, position);
    return records;
  }

  /** One of the loss counters of a CPU. */
  lossCounter(cpu: number, counter: Exclude<keyof typeof LOSS, 'SIZE'>): number {
    const word = (cpu * CPU.SIZE + CPU.loss + LOSS[counter]) / 4;
    return (this.cpuWords[word + 1] as number) * 4_294_967_296 + (this.cpuWords[word] as number);
  }

  close(): void {
    for (const mapping of this.mappings) mapping.close();
  }
}
