/**
 * The one place where times change their shape. Inside, a time is a double of nanoseconds from a session's base (exact
 * for 104 days); outside it is seconds with nine digits, or whole nanoseconds, both exact and without BigInt per stamp.
 */

const NS = 1_000_000_000;

/** Longest result of {@link Timeline.writeText}, bytes: twelve digits of seconds, point, nine digits. */
export const TIME_TEXT_BYTES = 24;

/** `000` to `999`, as bytes. */
const THREE_DIGITS = new Uint8Array(3000);
for (let i = 0; i < 1000; i++) {
  const digits = String(1000 + i);
  for (let at = 0; at < 3; at++) THREE_DIGITS[i * 3 + at] = digits.charCodeAt(at + 1);
}

/** Shows times that are relative to a base in a clock that runs beside the base's clock. */
export class Timeline {
  private seconds = 0;
  private nanos = 0;
  private prefixSeconds = Number.NaN;
  private prefix: Uint8Array = new Uint8Array(0);

  /**
   * @param base what relative times count from, nanoseconds of CLOCK_MONOTONIC
   * @param offset shown clock minus CLOCK_MONOTONIC, nanoseconds
   */
  constructor(base: bigint, offset = 0n) {
    this.move(base, offset);
  }

  /** Takes another offset: the shown clock was stepped. */
  move(base: bigint, offset: bigint): void {
    const zero = base + offset;
    this.seconds = Number(zero / 1_000_000_000n);
    this.nanos = Number(zero % 1_000_000_000n);
  }

  /** `73811.204518337`: seconds with nine digits, exact. */
  text(relative: number): string {
    const sum = this.nanos + relative;
    const carry = Math.floor(sum / NS);
    return `${this.seconds + carry}.${nineDigits(sum - carry * NS)}`;
  }

  /** The same as {@link text}, as bytes into `bytes` from `at`; returns the position behind. For the hot path. */
  writeText(relative: number, bytes: Uint8Array, at: number): number {
    const sum = this.nanos + relative;
    const carry = Math.floor(sum / NS);
    const seconds = this.seconds + carry;
    if (seconds !== this.prefixSeconds) {
      this.prefixSeconds = seconds;
      this.prefix = Uint8Array.from(`${seconds}.`, (letter) => letter.charCodeAt(0));
    }
    const { prefix } = this;
    let to = at;
    for (let i = 0; i < prefix.length; i++) bytes[to++] = prefix[i] as number;
    const nanos = sum - carry * NS;
    const millis = Math.floor(nanos / 1e6);
    const rest = nanos - millis * 1e6;
    const micros = Math.floor(rest / 1e3);
    for (let i = 0; i < 3; i++) {
      const group = i === 0 ? millis : i === 1 ? micros : rest - micros * 1e3;
      bytes[to++] = THREE_DIGITS[group * 3] as number;
      bytes[to++] = THREE_DIGITS[group * 3 + 1] as number;
      bytes[to++] = THREE_DIGITS[group * 3 + 2] as number;
    }
    return to;
  }

  /** `73811204518337`: whole nanoseconds, exact, also beyond 2^53. */
  nanoseconds(relative: number): string {
    const sum = this.nanos + relative;
    const carry = Math.floor(sum / NS);
    const seconds = this.seconds + carry;
    const digits = nineDigits(sum - carry * NS);
    return seconds === 0 ? String(Number(digits)) : `${seconds}${digits}`;
  }

  /** Whole nanoseconds as a bigint, for the API. */
  bigint(relative: number): bigint {
    return BigInt(this.nanoseconds(relative));
  }
}

function nineDigits(nanos: number): string {
  return String(NS + nanos).slice(1);
}

/** A difference in microseconds with three digits and its sign: `+12.345`. Exact: nanoseconds are whole. */
export function deltaText(nanoseconds: number): string {
  const size = Math.abs(nanoseconds);
  const whole = Math.floor(size / 1000);
  return `${nanoseconds < 0 ? '-' : '+'}${whole}.${String(1000 + (size - whole * 1000)).slice(1)}`;
}

/** A span in the unit that suits it: `340 ns`, `12.3 µs`, `4.56 ms`, `1.20 s`. Rounded, for people. */
export function spanText(nanoseconds: number): string {
  // The limits are where rounding would give 1000 of the smaller unit.
  if (nanoseconds < 999.5) return `${Math.round(nanoseconds)} ns`;
  if (nanoseconds < 999_950) return `${(nanoseconds / 1e3).toFixed(1)} µs`;
  if (nanoseconds < 999_995_000) return `${(nanoseconds / 1e6).toFixed(2)} ms`;
  return `${(nanoseconds / 1e9).toFixed(2)} s`;
}

/** Units of {@link barText}: largest first. */
const BAR_UNITS = [
  [1e9, 's'],
  [1e6, 'ms'],
  [1e3, 'µs'],
] as const;

/** An error in the unit that suits it: `340ns`, `3.1µs`, `250µs`, `4.6ms`. Rounded up: it never looks smaller than it is. */
export function barText(nanoseconds: number): string {
  for (const [unit, name] of BAR_UNITS) {
    if (nanoseconds < unit) continue;
    const tenths = Math.ceil(nanoseconds / (unit / 10));
    return tenths < 1000 ? `${(tenths / 10).toFixed(1)}${name}` : `${Math.ceil(nanoseconds / unit)}${name}`;
  }
  return `${Math.ceil(nanoseconds)}ns`;
}
