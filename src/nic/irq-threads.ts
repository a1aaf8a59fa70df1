/**
 * Whether interrupts are handled in threads. Asked of the machine as it is, never derived from a version: the threads
 * themselves, and what makes them where they cannot be seen (a container's own /proc).
 */
import { HOST, type KernelFiles } from '../sys/files.js';

/** The IRQ numbers that have a kernel thread (`irq/31-eth0-rx-0`), as far as /proc shows them. */
export function threadedIrqs(files: KernelFiles = HOST): Set<number> {
  const found = new Set<number>();
  for (const pid of files.list('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const irq = /^irq\/(\d+)-/.exec(files.text(`/proc/${pid}/comm`) ?? '')?.[1];
    if (irq !== undefined) found.add(Number(irq));
  }
  return found;
}

/** True where all handlers are forced into threads: PREEMPT_RT, or `threadirqs` on the kernel's command line. */
export function forcedThreads(files: KernelFiles = HOST): boolean {
  if (files.text('/sys/kernel/realtime') === '1') return true;
  return (files.text('/proc/cmdline') ?? '').split(/\s+/).includes('threadirqs');
}

/** True when a handler of one of these interrupts, or its second half, runs in a thread. */
export function runInThreads(irqs: readonly number[], files: KernelFiles = HOST): boolean {
  if (irqs.length === 0) return false;
  if (forcedThreads(files)) return true;
  const threaded = threadedIrqs(files);
  return irqs.some((irq) => threaded.has(irq));
}
