/** CPUs of this machine. */
import { readFileSync } from 'node:fs';

/** Possible CPUs: what per-CPU numbers range over. From /sys/devices/system/cpu/possible, `0-3`. */
export function possibleCpuCount(): number {
  const text = readFileSync('/sys/devices/system/cpu/possible', 'utf8').trim();
  return Number(text.split(/[-,]/).at(-1)) + 1;
}
