/** What a process has cost so far, from procfs. */
import { readFileSync, readdirSync } from 'node:fs';

/** CPU time and memory of a process, all its threads. */
export interface ProcessCost {
  /** Nanoseconds on a CPU, exact (schedstat). */
  readonly cpuNs: number;
  /** Of these in user space and in the kernel; in steps of a clock tick (10 ms). */
  readonly userNs: number;
  readonly systemNs: number;
  /** Peak resident memory, KiB. */
  readonly peakKiB: number;
}

/** USER_HZ: x86 kernels report times to user space in this unit, whatever their own tick. */
const TICK_NS = 1e9 / 100;

/** Reads the cost of a running process. */
export function processCost(pid: number): ProcessCost {
  let cpuNs = 0;
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    cpuNs += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]);
  }
  // The name in parentheses may hold spaces; utime and stime are the 12th and 13th word behind it.
  const words = (readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1) ?? '').split(' ');
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return {
    cpuNs,
    userNs: Number(words[11]) * TICK_NS,
    systemNs: Number(words[12]) * TICK_NS,
    peakKiB: Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1]),
  };
}

/** Cost since an earlier reading; the peak is that of the later one. */
export function costSince(before: ProcessCost, now: ProcessCost): ProcessCost {
  return {
    cpuNs: now.cpuNs - before.cpuNs,
    userNs: now.userNs - before.userNs,
    systemNs: now.systemNs - before.systemNs,
    peakKiB: now.peakKiB,
  };
}
