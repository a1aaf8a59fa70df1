/**
 * A packet's way as steps: each stamped stage with its distance from the stamped stage before it, in the order of the
 * table. The distances add up to the last stamp minus the first, exactly: all are whole nanoseconds.
 */
import type { PacketCursor } from '../packet/arrival.js';

/** One stamped stage. */
export interface Step {
  /** Index of the stage. */
  readonly stage: number;
  /** Nanoseconds from the session's base. */
  readonly time: number;
  /** Nanoseconds from the stamped stage before; NaN for the first. Negative where the stamps go back. */
  readonly delta: number;
}

/** The steps of the packet that the cursor stands on, over the stages that are shown (indices in path order). */
export function stepsOf(cursor: PacketCursor, shown: readonly number[]): Step[] {
  const steps: Step[] = [];
  let before = Number.NaN;
  for (const stage of shown) {
    const time = cursor.stage(stage);
    if (Number.isNaN(time)) continue;
    steps.push({ stage, time, delta: time - before });
    before = time;
  }
  return steps;
}

/** From the first to the last stamp, ns; 0 for a single one. */
export function totalOf(steps: readonly Step[]): number {
  return (steps.at(-1)?.time ?? 0) - (steps[0]?.time ?? 0);
}
