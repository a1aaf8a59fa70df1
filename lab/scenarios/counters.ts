/** Reads the counters of a guest that scenarios compare. */
import type { Guest } from '../guest.js';
import { GUEST_IFACE } from '../guest-setup.js';

/** Frames and drops of the NIC since it came up, from /proc/net/dev. */
export interface Received {
  readonly packets: number;
  readonly dropped: number;
}

/** Frames the interface has received. */
export async function received(guest: Guest): Promise<Received> {
  const text = await guest.shell(`grep ${GUEST_IFACE}: /proc/net/dev`);
  // face | bytes packets errs drop …
  const [, packets = 0, , dropped = 0] = (text.split(':')[1] ?? '').trim().split(/\s+/).map(Number);
  return { packets, dropped };
}

/** `ethtool -S` as a table. */
export async function statistics(guest: Guest): Promise<Map<string, number>> {
  const text = await guest.shell(`ethtool -S ${GUEST_IFACE}`);
  const rows = [...text.matchAll(/^\s*(\S.*?): (\d+)$/gm)];
  return new Map(rows.map((row) => [row[1] ?? '', Number(row[2])]));
}

/** Interrupts per action name since boot, summed over the CPUs, from /proc/interrupts. */
export async function interrupts(guest: Guest): Promise<Map<string, number>> {
  const lines = (await guest.shell('cat /proc/interrupts')).trim().split('\n');
  const cpus = (lines[0] ?? '').trim().split(/\s+/).length;
  const counts = new Map<string, number>();
  for (const line of lines.slice(1)) {
    const [, ...words] = line.trim().split(/\s+/);
    const sum = words.slice(0, cpus).reduce((total, word) => total + (Number(word) || 0), 0);
    const name = words.at(-1) ?? '';
    counts.set(name, (counts.get(name) ?? 0) + sum);
  }
  return counts;
}
