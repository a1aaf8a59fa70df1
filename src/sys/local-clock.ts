/**
 * local_clock(), the clock that printk, perf and ftrace stamp with unless told otherwise: the CPU's time stamp counter,
 * scaled at boot and never steered. CLOCK_MONOTONIC is steered by NTP, so the two drift apart.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import type { ClockOffset } from './clock.js';

/** Where the kernel writes both clocks, read one behind the other with interrupts off (sched_debug_header). */
const FILES = ['/sys/kernel/debug/sched/debug', '/proc/sched_debug'];
const READINGS = 5;

const nanoseconds = (whole: string, millionths: string): bigint =>
  BigInt(whole) * 1_000_000n + BigInt(millionths);

/** `ktime : 7662.615480` and `cpu_clk : 7686.298942`, milliseconds; undefined where the text has not both. */
export function parseClockPair(text: string): { readonly mono: bigint; readonly local: bigint } | undefined {
  const ktime = /^ktime\s*:\s*(\d+)\.(\d{6})$/m.exec(text);
  const local = /^cpu_clk\s*:\s*(\d+)\.(\d{6})$/m.exec(text);
  if (ktime === null || local === null) return undefined;
  return {
    mono: nanoseconds(ktime[1] ?? '', ktime[2] ?? ''),
    local: nanoseconds(local[1] ?? '', local[2] ?? ''),
  };
}

/** The first part of a file: reading more makes the kernel write down all of its run queues. */
function beginning(path: string): string {
  const bytes = Buffer.alloc(512);
  const fd = openSync(path, 'r');
  try {
    return bytes.toString('latin1', 0, readSync(fd, bytes));
  } finally {
    closeSync(fd);
  }
}

/**
 * CLOCK_MONOTONIC minus local_clock(), of now. The kernel reads local_clock last, so the difference is rather too small
 * than too large: the largest of some readings is taken, their spread is the error. Undefined: this kernel does not show it, or
 * not to us.
 */
export function localClockOffset(read: (path: string) => string = beginning): ClockOffset | undefined {
  for (const path of FILES) {
    try {
      const offsets: bigint[] = [];
      for (let i = 0; i < READINGS; i++) {
        const pair = parseClockPair(read(path));
        if (pair !== undefined) offsets.push(pair.mono - pair.local);
      }
      if (offsets.length === 0) continue;
      const [first = 0n] = offsets;
      const most = offsets.reduce((a, b) => (a > b ? a : b), first);
      const least = offsets.reduce((a, b) => (a < b ? a : b), first);
      return { offset: most, error: Number(most - least) };
    } catch {
      // Not there, or not for us: the next one.
    }
  }
  return undefined;
}
