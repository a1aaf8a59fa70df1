/**
 * How long the CPUs have been idle, to the nanosecond: /proc/timer_list, where kernel/time/timer_list.c prints what the
 * tick code sums up (kernel/time/tick-sched.c). /proc/stat has the same in hundredths of a second.
 */
import { visitCpus } from './affinity.js';
import { HOST, type KernelFiles } from './files.js';

const STAT_UNIT_NS = 10_000_000;

/** Idle time of all CPUs. */
export interface IdleTime {
  readonly idleNs: number;
  readonly cpus: number;
  /** True where it comes from /proc/stat. */
  readonly coarse: boolean;
}

const numberOf = (text: string, name: string): number =>
  Number(new RegExp(`\\.${name}\\s*:\\s*(\\d+) nsecs`).exec(text)?.[1] ?? Number.NaN);

/**
 * Reads the text of /proc/timer_list: the idle stretches that are over.
 * @returns undefined where it does not tell
 */
export function parseTimerList(text: string): IdleTime | undefined {
  const parts = text.split(/^cpu: \d+$/m).slice(1);
  let idleNs = 0;
  for (const part of parts) idleNs += numberOf(part, 'idle_sleeptime') + numberOf(part, 'iowait_sleeptime');
  return parts.length === 0 || Number.isNaN(idleNs)
    ? undefined
    : { idleNs, cpus: parts.length, coarse: false };
}

/** Reads the text of /proc/stat. */
export function parseStat(text: string): IdleTime {
  const cpus = [...text.matchAll(/^cpu\d+ .*$/gm)].map(([line]) => line.split(/\s+/));
  const ticks = cpus.reduce((sum, words) => sum + Number(words[4]) + Number(words[5] ?? 0), 0);
  return { idleNs: ticks * STAT_UNIT_NS, cpus: cpus.length, coarse: true };
}

/**
 * Idle time of the online CPUs until now. A CPU that sleeps has not summed up its present sleep yet, and nothing tells
 * reliably since when: so this thread visits every CPU first, which ends its sleep.
 */
export function idleTime(files: KernelFiles = HOST): IdleTime {
  visitCpus();
  const exact = parseTimerList(files.text('/proc/timer_list') ?? '');
  return exact ?? parseStat(files.text('/proc/stat') ?? '');
}
