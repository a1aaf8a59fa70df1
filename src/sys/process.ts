/** This process and others, told apart even when a process number is used again. */
import { HOST, type KernelFiles } from './files.js';

/** A process by number and start time. */
export interface ProcessId {
  readonly pid: number;
  /** Clock ticks since boot, as /proc/PID/stat has it. */
  readonly started: number;
}

function startTime(pid: number, files: KernelFiles): number | undefined {
  const stat = files.text(`/proc/${pid}/stat`);
  // The name in parentheses may hold anything; field 22 is the 20th behind it.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  // A process that has ended and was not waited for (state Z) holds nothing any more.
  return fields === undefined || fields[0] === 'Z' ? undefined : Number(fields[19]);
}

/** This process. */
export function thisProcess(files: KernelFiles = HOST): ProcessId {
  return { pid: process.pid, started: startTime(process.pid, files) ?? 0 };
}

/** True while that very process lives. */
export function lives({ pid, started }: ProcessId, files: KernelFiles = HOST): boolean {
  return startTime(pid, files) === started;
}
