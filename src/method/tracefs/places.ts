/** Which vector an interrupt has on which CPU: what an event of `__common_interrupt`, which knows vectors only, is filtered by. */

/** Where an interrupt goes at this moment. */
export interface IrqPlace {
  readonly cpu: number;
  readonly vector: number;
}

/**
 * The filter of `__common_interrupt`: a vector names an interrupt only together with its CPU. Without a known place
 * nothing passes; vector 0 is an exception's.
 */
export function placeFilter(places: ReadonlyMap<number, IrqPlace>): string {
  const terms = [...places.values()].map(({ cpu, vector }) => `(CPU==${cpu}&&vector==${vector})`);
  return terms.length === 0 ? 'vector==0' : terms.join('||');
}

/** An event of `__common_interrupt` that waits for its flow handler. */
export interface WaitingEntry {
  readonly time: number;
  readonly vector: number;
}

/** Older ones are of an interrupt that went elsewhere. Far more than lies between the two, even on a CPU that is itself emulated or put aside. */
const MOST_BETWEEN_NS = 1_000_000_000;

/** Whether the flow handler's event at `time` belongs to the same interrupt as the entry in front of it on its CPU. */
export function belongs(
  entry: WaitingEntry | undefined,
  time: number,
  cpu: number,
  place: IrqPlace | undefined,
): boolean {
  if (entry === undefined || place === undefined) return false;
  return place.cpu === cpu && place.vector === entry.vector && time - entry.time <= MOST_BETWEEN_NS;
}
