/** Undoes steerings in order, the newest first. */
import type { NicSettings } from '../sys/nic-settings.js';
import { undoSteps } from './apply.js';
import { undoText } from './step-text.js';
import { type SteerState, type Steering, abandoned } from './state.js';

/** What undoing led to. */
export interface UndoReport {
  /** Steerings taken back, newest first. */
  readonly undone: number;
  /** What was done, and what was left as somebody else's. */
  readonly lines: readonly string[];
  /** True when the NIC is not as it was before: a step failed, or somebody else changed the same. */
  readonly incomplete: boolean;
}

/** Undoes the newest steerings for as long as `wanted` says so. State is written after each. */
export function undoWhile(
  state: SteerState,
  nic: NicSettings,
  wanted: (top: Steering, undone: number) => boolean,
): UndoReport {
  const lines: string[] = [];
  let undone = 0;
  let incomplete = false;
  for (let top = state.top; top !== undefined && wanted(top, undone); top = state.top) {
    const steps = [...top.steps];
    const results = undoSteps(nic, top.steps);
    lines.push(`undone: ${top.flow} → queue ${top.queue}`);
    for (const [index, { result, note }] of results.entries()) {
      const step = steps[steps.length - 1 - index];
      if (step === undefined) continue;
      if (result === 'done') lines.push(`  ${undoText(step)}`);
      else lines.push(`  ${result === 'foreign' ? 'left' : 'failed'}: ${note ?? ''}`);
      if (result !== 'done') incomplete = true;
    }
    // What failed stays, so that it can be tried again.
    if (top.steps.length === 0) state.steerings.pop();
    state.save();
    if (top.steps.length > 0) break;
    undone++;
  }
  return { undone, lines, incomplete };
}

/** Undoes what dead processes left on top. */
export function undoAbandoned(state: SteerState, nic: NicSettings): UndoReport {
  return undoWhile(state, nic, (top) => abandoned(top));
}
