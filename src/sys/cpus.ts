/** CPUs of this machine. */
import { readFileSync } from 'node:fs';

/** Possible CPUs: what per-CPU numbers range over. From /sys/devices/system/cpu/possible, `0-3`. */
export function possibleCpuCount(): number {
  const text = readFileSync('/sys/devices/system/cpu/possible', 'utf8').trim();
  return Number(text.split(/[-,]/).at(-1)) + 1;
}

/** CPUs that are online, from /sys/devices/system/cpu/online: `0-2,5`. */
export function onlineCpus(): readonly number[] {
  const text = readFileSync('/sys/devices/system/cpu/online', 'utf8').trim();
  return text.split(',').flatMap((range) => {
    const [first, last = first] = range.split('-').map(Number) as [number, number?];
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
}
