/** CLOCK_REALTIME into nanoseconds of CLOCK_MONOTONIC from a base, also across a setting of the clock. */
import type { ClockOffset } from '../../sys/clock.js';

/** Converts stamps that lie between two readings of the clocks' distance. */
export class Realtime {
  private readonly base: bigint;
  /** How far a converted stamp may be off, ns. */
  error = 0;
  private offset = 0n;
  private seconds = 0;
  private nanoseconds = 0;
  private before: Realtime | undefined;

  /** @param base CLOCK_MONOTONIC nanoseconds */
  constructor(base: bigint, first: ClockOffset) {
    this.base = base;
    this.take(first);
  }

  private take({ offset, error }: ClockOffset): void {
    this.offset = offset;
    this.error = error;
    const zero = this.base + offset;
    this.seconds = Number(zero / 1_000_000_000n);
    this.nanoseconds = Number(zero % 1_000_000_000n);
  }

  /** Takes a reading that was made behind the stamps that are converted next. @returns true where the clock was set */
  read(now: ClockOffset): boolean {
    this.before = undefined;
    const apart = Math.abs(Number(now.offset - this.offset));
    // The same distance, as far as both readings tell: the one that is known better stays.
    if (apart <= now.error + this.error) {
      if (now.error < this.error) this.take(now);
      return false;
    }
    this.before = new Realtime(this.base, { offset: this.offset, error: this.error });
    this.take(now);
    return true;
  }

  /**
   * A stamp relative to the base. Where the clock was set between the last two readings, the one of both distances that
   * puts it between them; NaN where either would.
   * @param from not before, relative to base
   * @param to not after
   */
  convert(seconds: number, nanoseconds: number, from: number, to: number): number {
    const time = this.plain(seconds, nanoseconds);
    if (this.before === undefined) return time;
    const other = this.before.plain(seconds, nanoseconds);
    const fits = (one: number): boolean => one >= from && one <= to;
    if (fits(time) === fits(other)) return Number.NaN;
    return fits(time) ? time : other;
  }

  private plain(seconds: number, nanoseconds: number): number {
    return (seconds - this.seconds) * 1e9 + (nanoseconds - this.nanoseconds);
  }
}
