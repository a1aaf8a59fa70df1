/** Who saw which interrupts beside a slow kprobe program, held against the kernel's own count. Pure. */
import { type Sighting, matchInterrupts } from './match.js';

/** The time in which interrupts were counted; ns, the sightings' base. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** What there was to be seen, and how much of it each method saw. */
export interface Seen {
  readonly interrupts: number;
  /** In the order of the methods. */
  readonly seen: readonly number[];
}

const ends = ({ end }: Sighting): boolean => !Number.isNaN(end);

/** Whether some of an interrupt lies in the span: the kernel may have counted it there, wherever its stamps are. */
const touches = (one: Sighting, { from, to }: Span): boolean =>
  one.time <= to && (ends(one) ? one.end : one.time) >= from;

/**
 * Counts the interrupts of a span that each method saw. What the others are matched with is a method that stamps the
 * handler's end, if it saw all that the kernel counted; else whoever saw the most: half way to the next interrupt is no
 * end, and makes losses up where interrupts come close together.
 * @param sightings by method; from before the span until behind it, so that none of an interrupt's stamps is missing
 * @param counted what the kernel's own count rose by within the span
 */
export function seenBy(sightings: readonly (readonly Sighting[])[], span: Span, counted: number): Seen {
  const candidates = sightings
    .map((all) => {
      const known = all.filter(({ irq }) => irq >= 0);
      return { known, inside: known.filter((one) => touches(one, span)) };
    })
    .sort((a, b) => b.inside.length - a.inside.length);
  const exact = candidates.find(({ inside }) => inside.length >= counted && inside.every(ends));
  const { known, inside } = exact ?? candidates[0] ?? { known: [], inside: [] };
  const seen = sightings.map((all) => {
    // With all that the reference saw: what another method saw before the span must not pass for the first one in it.
    const { times } = matchInterrupts(known, all);
    return known.filter((one, index) => touches(one, span) && !Number.isNaN(times[index])).length;
  });
  return { interrupts: Math.max(counted, inside.length), seen };
}
