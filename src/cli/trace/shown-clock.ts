/** The clock that times are printed in, followed while it is set by others. */
import { Timeline } from '../../base/time.js';
import { clockOffset } from '../../sys/clock.js';
import type { ClockName } from '../../sys/libc.js';

/** How often the distance to CLOCK_MONOTONIC is looked at again. */
const LOOK_MS = 1000;
/** Both readings together may be off by their brackets; beyond that the clock was set, or the machine slept. */
const SLACK_NS = 10_000;

/** A time line that follows its clock. */
export class ShownClock {
  readonly timeline: Timeline;
  /** How far the distance between the clocks may be off, ns. */
  readonly error: number;
  private readonly name: ClockName;
  private readonly base: bigint;
  private offset: bigint;
  private looked = performance.now();

  constructor(name: ClockName, base: bigint) {
    const { offset, error } = clockOffset(name);
    this.name = name;
    this.base = base;
    this.offset = offset;
    this.error = error;
    this.timeline = new Timeline(base, offset);
  }

  /** Looks once a second; stamps printed from then on are in the clock as it was set. Tells when it was. */
  follow(tell: (note: string) => void): void {
    if (this.name === 'mono' || performance.now() - this.looked < LOOK_MS) return;
    this.looked = performance.now();
    const { offset, error } = clockOffset(this.name);
    const step = offset - this.offset;
    if (step <= BigInt(error + this.error + SLACK_NS) && -step <= BigInt(error + this.error + SLACK_NS))
      return;
    this.offset = offset;
    this.timeline.move(this.base, offset);
    tell(`clock ${this.name} was set by ${step} ns during the trace; times from here on are in the new one`);
  }
}
