/**
 * How long the CPUs have been idle, to the nanosecond: /proc/timer_list, where kernel/time/timer_list.c prints what the
 * tick code sums up (kernel/time/tick-sched.c). /proc/stat has the same in hundredths of a second.
 */
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

/** Reads the text of /proc/timer_list. @returns undefined where it does not tell */
export function parseTimerList(text: string): IdleTime | undefined {
  const now = Number(/^now at (\d+) nsecs/m.exec(text)?.[1] ?? Number.NaN);
  const parts = text.split(/^cpu: \d+$/m).slice(1);
  let idleNs = 0;
  for (const part of parts) {
    const asleep = numberOf(part, 'idle_sleeptime') + numberOf(part, 'iowait_sleeptime');
    const entry = numberOf(part, 'idle_entrytime');
    const left = Math.max(numberOf(part, 'idle_exittime'), numberOf(part, 'idle_waketime'));
    // Idle just now: what is not summed up yet. An interrupt that woke it sums up too, and only where the tick had been
    // stopped does it say so (idle_waketime): the error is less than a tick.
    idleNs += asleep + (entry > left && now > entry ? now - entry : 0);
  }
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

/** Idle time of the online CPUs until now. */
export function idleTime(files: KernelFiles = HOST): IdleTime {
  const exact = parseTimerList(files.text('/proc/timer_list') ?? '');
  return exact ?? parseStat(files.text('/proc/stat') ?? '');
}
