/** Traffic that goes on until the kernel has counted the interrupts that it was to make. */
import type { Guest } from '../../../lab/guest.js';
import type { Pacing } from '../../../lab/inject.js';
import { sendCounted } from '../../../lab/trace-in-guest.js';
import { interruptCounts } from '../guest-trace.js';

/** How often frames are sent, at most. */
const ROUNDS = 30;

export const differences = (to: readonly number[], from: readonly number[]): number[] =>
  to.map((count, index) => count - (from[index] as number));

/**
 * Sends until each line has interrupted more than `enough` times. How many interrupts frames make is a matter of chance: a
 * vCPU that is held back takes all that came meanwhile by one.
 * @param frames those of a round, from 0
 * @returns how many interrupts there were of each line
 */
export async function sendBusy(
  guest: Guest,
  irqs: readonly number[],
  enough: number,
  frames: (round: number) => readonly Buffer[],
  pacing: Pacing,
): Promise<number[]> {
  const before = await interruptCounts(guest, irqs);
  for (let round = 0; ; round++) {
    await sendCounted(guest, frames(round), pacing);
    const come = differences(await interruptCounts(guest, irqs), before);
    if (round === ROUNDS || come.every((count) => count > enough)) return come;
  }
}
