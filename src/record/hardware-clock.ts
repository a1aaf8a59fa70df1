/**
 * Stamps of a NIC's own clock as CLOCK_MONOTONIC, each with its error. The NIC's clock drifts, is steered and may be set,
 * so it is read beside CLOCK_MONOTONIC again and again; a stamp is converted between the two readings around it, on the
 * straight line through both. Pure: readings in, times out.
 */

/** One reading of the NIC's clock and of CLOCK_MONOTONIC at the same moment, nanoseconds; `mono` is off by at most `error`. */
export interface ClockReading {
  readonly nic: bigint;
  readonly mono: bigint;
  readonly error: number;
}

/**
 * How much faster or slower than between two readings the clocks may have run for part of that time: 100 ppm, what
 * IEEE 802.3 allows a NIC's crystal to be off, and far more than a steered clock changes its rate by in one step.
 */
export const WANDER = 100e-6;
/** The most that a NIC's clock may gain or lose without having been set: the kernel's own limit for clocks is 500 ppm. */
const MOST_DRIFT = 1000e-6;
/** Readings that are kept: packets wait for at most some seconds. */
const KEPT_NS = 10e9;

interface Point {
  /** Relative to {@link HardwareClock.nicBase} and to the session's base. */
  readonly nic: number;
  readonly mono: number;
  readonly error: number;
  /** False: between the point before and this one the NIC's clock was set. */
  readonly joined: boolean;
}

/** Converts stamps of one NIC. Nothing is allocated per stamp. */
export class HardwareClock {
  /** What stamps are given relative to: nanoseconds of the NIC's clock. */
  readonly nicBase: bigint;
  /** How far the last converted stamp may be off in either direction, ns; NaN when it could not be converted. */
  error = Number.NaN;
  private readonly base: bigint;
  private points: Point[];

  /** @param base what times are relative to, nanoseconds of CLOCK_MONOTONIC */
  constructor(base: bigint, first: ClockReading) {
    this.base = base;
    this.nicBase = first.nic;
    this.points = [{ nic: 0, mono: Number(first.mono - base), error: first.error, joined: true }];
  }

  /** Takes a later reading. @returns nanoseconds by which the NIC's clock was set since the one before, 0: it was not */
  add(reading: ClockReading): number {
    const before = this.points.at(-1) as Point;
    const nic = Number(reading.nic - this.nicBase);
    const mono = Number(reading.mono - this.base);
    const ahead = nic - before.nic - (mono - before.mono);
    const allowed = before.error + reading.error + MOST_DRIFT * (mono - before.mono);
    const joined = Math.abs(ahead) <= allowed;
    this.points.push({ nic, mono, error: reading.error, joined });
    while ((this.points[1] as Point).mono < mono - KEPT_NS) this.points.shift();
    return joined ? 0 : ahead;
  }

  /** Time of the last reading, relative to base. */
  get lastReading(): number {
    return (this.points.at(-1) as Point).mono;
  }

  /**
   * A stamp of the NIC relative to {@link nicBase}, as nanoseconds of CLOCK_MONOTONIC relative to base; NaN when no pair of
   * readings encloses it, or the clock was set between them. {@link error} is set beside it: the readings' own, and {@link WANDER} times the
   * distance to the nearer one.
   */
  convert(nic: number): number {
    const { points } = this;
    for (let i = points.length - 1; i > 0; i--) {
      const [from, to] = [points[i - 1] as Point, points[i] as Point];
      if (nic > to.nic) break;
      if (nic < from.nic) continue;
      if (!to.joined) break;
      const share = to.nic === from.nic ? 0 : (nic - from.nic) / (to.nic - from.nic);
      const wander = WANDER * Math.min(nic - from.nic, to.nic - nic);
      this.error = Math.ceil(from.error + (to.error - from.error) * share + wander);
      return Math.round(from.mono + (to.mono - from.mono) * share);
    }
    this.error = Number.NaN;
    return Number.NaN;
  }
}
