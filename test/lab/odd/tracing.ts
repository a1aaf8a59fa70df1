/** What the tests of odd machines share. */
import type { Guest } from '../../../lab/guest.js';
import { sh } from '../guest-trace.js';

export { GuestTrace, type Traced, outOfOrder, phaseFrames, sh } from '../guest-trace.js';

/** Receive interrupts of an interface as /proc/interrupts names them, by queue. */
export async function receiveIrqs(guest: Guest, name = 'eth0'): Promise<number[]> {
  const text = await sh(guest, 'cat /proc/interrupts');
  return [...text.matchAll(new RegExp(`^\\s*(\\d+):.*${name}-(?:rx|TxRx)-\\d+$`, 'gm'))].map((match) =>
    Number(match[1]),
  );
}
