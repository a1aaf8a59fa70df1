/**
 * A flow's hash as the NIC itself computed it, for drivers that keep the key back but hand on the hash of each packet.
 * Believed only where the low bits of every hash seen point to the queue on which its packets came.
 */
import { type Answer, known, unknown } from '../base/answer.js';
import type { FlowCount } from './watch.js';

/** The hash of the one flow that was counted, by its packets before the change. */
export function learnHash(count: FlowCount, table: readonly number[]): Answer<number> {
  const [hash, ...more] = count.hashes;
  if (hash === undefined)
    return unknown('no packet of the flow came before the change, to learn its hash from');
  if (more.length > 0) return unknown('packets of the flow have different hashes');
  if (hash === 0) return unknown('the driver does not hand on the hash of a packet');
  if (!Number.isInteger(Math.log2(table.length))) return unknown('the table is no power of two');
  for (const [one, queue] of count.queueByHash) {
    if (table[one & (table.length - 1)] !== queue) {
      return unknown('packets do not come where the low bits of their hash point in the table');
    }
  }
  return known(hash);
}
