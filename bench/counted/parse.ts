/** What a side's script printed, as numbers. */
import { quantile } from '../../src/base/stats.js';

/** One load of bench/load/loop.c. */
export interface Load {
  readonly rxIrqs: number;
  readonly packets: number;
  /** Datagrams that the load itself read. */
  readonly read: number;
  readonly ticks: number;
  /** Middle round, instructions. */
  readonly median: number;
  /** Mean of the cheapest 95 %: what is left out is rounds that a timer tick or another task fell into. */
  readonly mean: number;
  /** All rounds: instructions -> how often, in ascending order. */
  readonly rounds: Readonly<Record<string, number>>;
}

/** One run of a side. Times are instructions. */
export interface SideRun {
  readonly single: Load;
  readonly burst: Load;
  readonly spin: Load;
  /** Packets and receive interrupts since the tracer listened, and what its record has of what it counts. */
  readonly sent?: number;
  readonly interrupts?: number;
  readonly listed?: number;
  /** Reader: instructions in one idle second, while the live packets came (with a second of rest), and to end. */
  readonly idle?: number;
  readonly live?: number;
  readonly exit?: number;
  readonly exitCode?: number;
  readonly says?: string;
}

/** Microseconds of guest CPU time are thousands of instructions. */
const PER_US = 1000;
const KEPT = 0.95;

interface Printed {
  readonly rxIrqs: number;
  readonly ticks: number;
  readonly packets: number;
  readonly read: number;
  readonly took: readonly number[];
}

function load(text: string): Load {
  const { rxIrqs, ticks, packets, read, took } = JSON.parse(text) as Printed;
  const sorted = [...took].sort((a, b) => a - b);
  const kept = sorted.slice(0, Math.floor(sorted.length * KEPT));
  const rounds: Record<string, number> = {};
  for (const value of sorted) rounds[value] = (rounds[value] ?? 0) + 1;
  return {
    rxIrqs,
    packets,
    read,
    ticks,
    median: quantile(sorted, 0.5),
    mean: kept.reduce((sum, value) => sum + value, 0) / kept.length,
    rounds,
  };
}

/** Reads the lines of a script. @returns the reason when it failed */
export function parseRun(text: string): SideRun | string {
  const words = new Map<string, string>();
  const says: string[] = [];
  for (const line of text.split('\n')) {
    const space = line.indexOf(' ');
    const [word, rest] = space < 0 ? [line, ''] : [line.slice(0, space), line.slice(space + 1)];
    if (word === 'fail') return rest;
    if (word === 'says') says.push(rest);
    else words.set(word, rest);
  }
  const loads = ['single', 'burst', 'spin'].map((name) => words.get(name));
  const [single, burst, spin] = loads;
  if (single === undefined || burst === undefined || spin === undefined) return 'the guest gave no numbers';
  const scaled = (word: string, by: number): Record<string, number> =>
    words.has(word) ? { [word]: Number(words.get(word)) * by } : {};
  return {
    single: load(single),
    burst: load(burst),
    spin: load(spin),
    ...scaled('sent', 1),
    ...scaled('interrupts', 1),
    ...scaled('listed', 1),
    ...scaled('idle', PER_US),
    ...scaled('live', PER_US),
    ...scaled('exit', PER_US),
    ...(words.has('code') ? { exitCode: Number(words.get('code')) } : {}),
    ...(says.length > 0 ? { says: says.join(' · ') } : {}),
  };
}
