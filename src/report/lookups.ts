/** What a format asks for that is not in a packet's row: names, and the numbers of other packets. */
import type { PacketCursor } from '../packet/arrival.js';

/** Answers about the packet that is being shown. */
export interface Lookups {
  /** Name of a thread, as it was when it was seen; undefined: not seen. */
  task(tid: number): string | undefined;
  /** The kernel's name of a drop reason; undefined where it has none. */
  dropReason(reason: number): string | undefined;
  /** Number of the packet that this one was merged into; undefined: it comes later, or is not shown. */
  mergedInto(cursor: PacketCursor): number | undefined;
  /** Numbers of the packets shown before that were merged into this one. */
  mergedFrom(cursor: PacketCursor): readonly number[];
}

/** For a trace that sees neither. */
export const NO_LOOKUPS: Lookups = {
  task: () => undefined,
  dropReason: () => undefined,
  mergedInto: () => undefined,
  mergedFrom: () => [],
};
