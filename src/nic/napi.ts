/**
 * Which NAPI instance an interrupt schedules. The kernel keeps no such table, so it is concluded from evidence, best
 * first, and the ground travels with the answer. Pure: addresses come from src/sys/inspect.ts.
 */
import type { IrqDetail, NapiDetail } from '../sys/inspect.js';
import type { IrqRole } from './nic.js';

/** Why a NAPI instance is taken to belong to an interrupt. */
export const NAPI_GROUNDS = {
  'napi-irq': 'the driver told the kernel this IRQ (napi_struct.irq)',
  embedded: "the handler's argument is the structure that embeds the NAPI instance",
  'points-back': "the structure that embeds the NAPI instance points to the handler's argument",
  queue: 'the driver tied the queue of this IRQ to the NAPI instance (netdev_rx_queue.napi)',
  only: "the handler's argument is the interface, which has only one receiving NAPI instance",
} as const;

/** A key of {@link NAPI_GROUNDS}. */
export type NapiGround = keyof typeof NAPI_GROUNDS;

/** The evidence about one interrupt of an interface. */
export interface IrqEvidence {
  readonly detail: IrqDetail;
  readonly role: IrqRole;
  readonly queue: number | undefined;
}

/** A structure that embeds a NAPI instance is smaller than this in every driver looked at. */
const EMBED_BYTES = 4096n;

/** The NAPI instance that `one` schedules, with the ground; undefined when no evidence ties them. */
export function napiOfIrq(
  one: IrqEvidence,
  all: readonly IrqEvidence[],
  napis: readonly NapiDetail[],
  device: bigint,
): { readonly napi: NapiDetail; readonly ground: NapiGround } | undefined {
  const told = napis.find((napi) => napi.irq === one.detail.irq);
  if (told !== undefined) return { napi: told, ground: 'napi-irq' };
  if (one.role === 'other') return undefined;
  for (const { argument } of one.detail.actions) {
    if (argument === 0n) continue;
    if (argument === device) {
      const receiving = napis.filter((napi) => napi.id !== 0);
      if (receiving.length === 1 && receiving[0] && one.role !== 'tx')
        return { napi: receiving[0], ground: 'only' };
      continue;
    }
    const inside = embedded(argument, all, napis);
    if (inside !== undefined) return { napi: inside, ground: 'embedded' };
    const back = pointsBack(argument, napis);
    if (back !== undefined) return { napi: back, ground: 'points-back' };
  }
  if (one.queue === undefined) return undefined;
  const { queue } = one;
  const tied = napis.find((napi) => napi.queues.includes(queue));
  return tied === undefined ? undefined : { napi: tied, ground: 'queue' };
}

/** The first instance behind `argument`, unless the argument of another handler lies in between. */
function embedded(
  argument: bigint,
  all: readonly IrqEvidence[],
  napis: readonly NapiDetail[],
): NapiDetail | undefined {
  const behind = napis
    .filter((napi) => napi.address >= argument && napi.address - argument < EMBED_BYTES)
    .sort((a, b) => (a.address < b.address ? -1 : 1))[0];
  if (behind === undefined) return undefined;
  const others = all.flatMap((irq) => irq.detail.actions.map((action) => action.argument));
  return others.some((other) => other > argument && other <= behind.address) ? undefined : behind;
}

/** The instance that has `argument` in the words before it, the nearer the better: queue structures lie in arrays. */
function pointsBack(argument: bigint, napis: readonly NapiDetail[]): NapiDetail | undefined {
  return napis
    .filter((napi) => napi.before.includes(argument))
    .sort((a, b) => b.before.lastIndexOf(argument) - a.before.lastIndexOf(argument))[0];
}
