/** Which CPUs this thread may run on. */
import koffi from 'koffi';

const libc = koffi.load('libc.so.6');
const setAffinity = libc.func('int sched_setaffinity(int pid, size_t size, const void *mask)');
const getAffinity = libc.func('int sched_getaffinity(int pid, size_t size, _Out_ void *mask)');

/** Room for 8192 CPUs, the most that x86 kernels are built for. */
const MASK_BYTES = 1024;

/** Puts this thread on one CPU. @returns false where that is not possible */
export function pinTo(cpu: number): boolean {
  const mask = new Uint8Array(MASK_BYTES);
  mask[cpu >> 3] = 1 << (cpu & 7);
  return setAffinity(0, MASK_BYTES, mask) === 0;
}

/** Runs on each CPU that this thread may run on, for a moment, and leaves it where it was allowed to be. */
export function visitCpus(): void {
  const before = new Uint8Array(MASK_BYTES);
  const size = getAffinity(0, MASK_BYTES, before) as number;
  if (size <= 0) return;
  try {
    for (let cpu = 0; cpu < size * 8; cpu++) if (((before[cpu >> 3] as number) >> (cpu & 7)) & 1) pinTo(cpu);
  } finally {
    setAffinity(0, MASK_BYTES, before);
  }
}
