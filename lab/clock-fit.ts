/**
 * The guest's clock as a function of the host's, from moments that both have seen. Pure.
 *
 * Each sighting is a rectangle: the event happened in this span of the host's clock and in that span of the guest's.
 * Both clocks run evenly (the guest's from the host's cycle counter, and nobody steers either during a test), so their
 * relation is a straight line through all the rectangles. All such lines together bound what the guest's clock read at
 * any moment of the host's: the error is what is left open, not a guess. Where no line passes all of them, the least
 * widening that lets one pass is part of the error, and is told.
 */

/** One event, as both clocks saw it. Nanoseconds; `from` not later than it, `to` not earlier. */
export interface Sighting {
  readonly hostFrom: bigint;
  readonly hostTo: bigint;
  readonly guestFrom: bigint;
  readonly guestTo: bigint;
}

/** A span of the guest's clock, nanoseconds. */
export interface Span {
  readonly from: bigint;
  readonly to: bigint;
}

/** The relation of the two clocks. */
export interface ClockFit {
  /** Guest seconds per host second, minus one, in parts per million. */
  readonly ppm: number;
  /** Half of the widest span that the fit leaves open between the first and the last sighting, ns. */
  readonly errorNs: number;
  /** By how much the spans had to be widened on each side for a straight line to pass all of them, ns. */
  readonly wideningNs: number;
  readonly sightings: number;
  /** What the guest's clock read at a moment of the host's, between the first and the last sighting. */
  toGuest(host: bigint): Span;
}

/** No clock of a guest is off by more. */
const STEEPEST = 0.02;
/** Halvings of an interval: past the last digit of a double. */
const STEPS = 80;
/** Places at which the open span is computed; between them it is interpolated, which can only widen it. */
const PLACES = 64;

/** Where a convex function on [low, high] is least. */
function lowest(low: number, high: number, value: (x: number) => number): number {
  let [a, b] = [low, high];
  for (let step = 0; step < STEPS; step++) {
    const third = (b - a) / 3;
    if (value(a + third) <= value(b - third)) b -= third;
    else a += third;
  }
  return (a + b) / 2;
}

/** The end of { x : value(x) <= 0 } between a point inside and one outside. */
function border(inside: number, outside: number, value: (x: number) => number): number {
  let [a, b] = [inside, outside];
  for (let step = 0; step < STEPS; step++) {
    const middle = (a + b) / 2;
    if (value(middle) <= 0) a = middle;
    else b = middle;
  }
  return b;
}

/**
 * Fits the clocks.
 * @throws RangeError with fewer than two sightings
 */
export function fitClocks(sightings: readonly Sighting[]): ClockFit {
  const sorted = [...sightings].sort((a, b) => Number(a.hostFrom - b.hostFrom));
  const [first] = sorted;
  const last = sorted.at(-1);
  if (first === undefined || last === undefined || sorted.length < 2) {
    throw new RangeError(`${sightings.length} sightings do not fix a line`);
  }
  const [host0, guest0] = [first.hostFrom, first.guestFrom];
  const span = Number(last.hostTo - host0);
  // The line is guest = offset + host + tilt * host: what varies is small, and keeps its digits.
  const rows = sorted.map((one) => ({
    from: Number(one.hostFrom - host0),
    to: Number(one.hostTo - host0),
    // The offset is at least `low - tilt * to` and at most `high - tilt * from`.
    low: Number(one.guestFrom - guest0 - (one.hostTo - host0)),
    high: Number(one.guestTo - guest0 - (one.hostFrom - host0)),
  }));
  let widening = 0;
  const least = (tilt: number): number =>
    rows.reduce((most, row) => Math.max(most, row.low - tilt * row.to), Number.NEGATIVE_INFINITY) - widening;
  const most = (tilt: number): number =>
    rows.reduce((limit, row) => Math.min(limit, row.high - tilt * row.from), Number.POSITIVE_INFINITY) +
    widening;
  const misses = (tilt: number): number => least(tilt) - most(tilt);
  const best = lowest(-STEEPEST, STEEPEST, misses);
  // A thousandth of a nanosecond more, for the rounding of doubles.
  widening = Math.max(0, misses(best) / 2) + 0.001;
  const [flattest, steepest] = [border(best, -STEEPEST, misses), border(best, STEEPEST, misses)];
  const places = Array.from({ length: PLACES + 1 }, (_, index) => {
    const at = (span * index) / PLACES;
    const lower = lowest(flattest, steepest, (tilt) => least(tilt) + tilt * at);
    const upper = lowest(flattest, steepest, (tilt) => -most(tilt) - tilt * at);
    // Clocks that needed widening are not even: they may be off the line by as much.
    const [from, to] = [least(lower) + lower * at, most(upper) + upper * at];
    return { at, from: from - widening, to: to + widening };
  });
  const between = (at: number, key: 'from' | 'to'): number => {
    const index = Math.min(PLACES - 1, Math.max(0, Math.floor((at / span) * PLACES)));
    const [left, right] = [places[index]!, places[index + 1]!];
    return left[key] + ((right[key] - left[key]) * (at - left.at)) / (right.at - left.at);
  };
  return {
    ppm: best * 1e6,
    errorNs: Math.max(...places.map((place) => (place.to - place.from) / 2)),
    wideningNs: widening,
    sightings: rows.length,
    toGuest(host) {
      const at = Number(host - host0);
      return {
        from: guest0 + host - host0 + BigInt(Math.floor(between(at, 'from'))),
        to: guest0 + host - host0 + BigInt(Math.ceil(between(at, 'to'))),
      };
    },
  };
}
