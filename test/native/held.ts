/** What the scheduler knows of a process that had to wait for a CPU, so that a bound on time can leave that out. */
import { readFileSync } from 'node:fs';

/**
 * How long the first thread of a process has been ready to run and was not run so far, in milliseconds: the second
 * number of its schedstat (Documentation/scheduler/sched-stats.rst). 0 where the kernel does not tell.
 */
export function heldUpMs(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[1]) / 1e6;
  } catch {
    return 0;
  }
}
