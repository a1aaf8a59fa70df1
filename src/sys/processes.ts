/** Processes of this machine, as /proc tells them. */
import { readlinkSync } from 'node:fs';
import { HOST, type KernelFiles } from './files.js';

/** PROC_PID_INIT_INO of include/linux/proc_ns.h: the PID namespace that the kernel began with, whose numbers BPF sees. */
const INITIAL_PID_NAMESPACE = 'pid:[4026531836]';

/** True where process numbers are those that the kernel's hooks tell. */
export function inInitialPidNamespace(): boolean {
  try {
    return readlinkSync('/proc/self/ns/pid') === INITIAL_PID_NAMESPACE;
  } catch {
    return true; // an old /proc, or none of namespaces
  }
}

/** The process that a thread belongs to: itself for a process; undefined when there is no such thread. */
export function processOf(tid: number, files: KernelFiles = HOST): number | undefined {
  const tgid = /^Tgid:\s+(\d+)$/m.exec(files.text(`/proc/${tid}/status`) ?? '')?.[1];
  return tgid === undefined ? undefined : Number(tgid);
}

/** Name of a thread as it is now, 15 characters at most; undefined when there is none. */
export function taskName(tid: number, files: KernelFiles = HOST): string | undefined {
  return files.text(`/proc/${tid}/comm`);
}
