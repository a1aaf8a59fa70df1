/**
 * The per-CPU rings, mapped. Cast: `chunks` the records (read only), `cpus` the writers' positions and loss counters
 * (writable only for the CPU switch), `tails` our positions. One writer per ring is the kernel's CPU, the one reader
 * is this object; ARCHITECTURE.md, "The ring", has the protocol.
 */
import { type Mapping, mapShared } from '../../sys/libc.js';
import type { BpfObject } from '../../sys/libbpf.js';
import { CHUNK, CPU, FILTERED, LOSS, TAIL } from './layout.gen.js';
import { type RecordVisitor, RingReader } from './ring-reader.js';

const PAGE = 4096;
const pages = (bytes: number): number => Math.ceil(bytes / PAGE) * PAGE;

/** All rings of a loaded object. Ring c < cpus: softirq side of CPU c; ring cpus + c: its interrupts. */
export class Rings {
  private readonly mappings: Mapping[];
  private readonly cpuWords: Uint32Array;
  private readonly reader: RingReader;
  readonly cpus: number;

  constructor(object: BpfObject, cpus: number, rings: number, chunksPerRing: number) {
    const map = (name: string, bytes: number, writable: boolean): Mapping =>
      mapShared(object.mapFd(name), pages(bytes), 0, writable);
    const chunks = map('chunks', rings * chunksPerRing * CHUNK.SIZE, false);
    const states = map('cpus', cpus * CPU.SIZE, true);
    const tails = map('tails', rings * TAIL.SIZE, true);
    this.mappings = [chunks, states, tails];
    this.cpuWords = new Uint32Array(states.buffer);
    this.cpus = cpus;
    const words = {
      chunks: new Uint32Array(chunks.buffer),
      cpus: this.cpuWords,
      tails: new Uint32Array(tails.buffer),
    };
    this.reader = new RingReader(words, cpus, rings, chunksPerRing);
  }

  /** Lets the programs of a CPU write; only looked at when the CPU filter is on. */
  switchCpu(cpu: number, on: boolean): void {
    this.cpuWords[(cpu * CPU.SIZE + CPU.on) / 4] = on ? 1 : 0;
  }

  /**
   * Which interface the programs look at, on all CPUs, from now on; 0: none. Its address, which they remember, is
   * forgotten: the kernel may have given it to another interface.
   */
  follow(ifindex: number, oneQueue: boolean): void {
    for (let cpu = 0; cpu < this.cpus; cpu++) {
      const word = (cpu * CPU.SIZE) / 4;
      this.cpuWords[word + CPU.ifindex / 4] = 0;
      this.cpuWords.fill(0, word + CPU.device / 4, word + CPU.device / 4 + 2);
      this.cpuWords[word + CPU.oneQueue / 4] = oneQueue ? 1 : 0;
      this.cpuWords[word + CPU.ifindex / 4] = ifindex;
    }
  }

  /** Visits every record that a ring holds now and gives the room back. Returns how many there were. */
  drain(ring: number, visit: RecordVisitor): number {
    return this.reader.drain(ring, visit);
  }

  /** One of the loss counters of a CPU. */
  lossCounter(cpu: number, counter: Exclude<keyof typeof LOSS, 'SIZE'>): number {
    return this.counter(cpu, CPU.loss + LOSS[counter]);
  }

  /** How many packets a filter stopped on a CPU. */
  filterCounter(cpu: number, counter: Exclude<keyof typeof FILTERED, 'SIZE'>): number {
    return this.counter(cpu, CPU.filtered + FILTERED[counter]);
  }

  private counter(cpu: number, offset: number): number {
    const word = (cpu * CPU.SIZE + offset) / 4;
    return (this.cpuWords[word + 1] as number) * 4_294_967_296 + (this.cpuWords[word] as number);
  }

  close(): void {
    for (const mapping of this.mappings) mapping.close();
  }
}
