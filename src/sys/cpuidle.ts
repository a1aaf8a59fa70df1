/** How deep the CPUs sleep, from cpuidle in sysfs. */
import type { KernelFiles } from './files.js';

/** An idle state that is in use. */
export interface IdleState {
  readonly name: string;
  /** Longest time to wake from it, µs, as the kernel's table has it. */
  readonly latencyUs: number;
}

/** The deepest idle state that is not switched off on CPU 0; undefined without cpuidle, as in most guests. */
export function deepestIdle(files: KernelFiles): IdleState | undefined {
  const root = '/sys/devices/system/cpu/cpu0/cpuidle';
  return files
    .list(root)
    .filter((state) => files.text(`${root}/${state}/disable`) !== '1')
    .map((state) => ({
      name: files.text(`${root}/${state}/name`) ?? state,
      latencyUs: Number(files.text(`${root}/${state}/latency`) ?? '0'),
    }))
    .sort((a, b) => b.latencyUs - a.latencyUs)[0];
}
