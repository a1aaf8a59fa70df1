/** What becomes of the steering that a process has made: it stays, or it is taken back. For who holds the lock. */
import type { NicSettings } from '../sys/nic-settings.js';
import type { ProcessId } from '../sys/process.js';
import type { SteerState, Steering } from './state.js';
import { type UndoReport, undoAbandoned } from './undo.js';

const same = (a: ProcessId, b: ProcessId): boolean => a.pid === b.pid && a.started === b.started;

/**
 * Leaves a steering in force after its process, until --undo.
 * @param made as it was when it was made; `state` has been read anew since
 * @returns false where it is not there: nothing had to be changed
 */
export function keepSteering(state: SteerState, made: Steering): boolean {
  // A process tries each way once. What it could not undo of an earlier one lies in the same file, and is not to stay.
  const mine = state.steerings.find(({ owner, way }) => same(owner, made.owner) && way === made.way);
  if (mine === undefined) return false;
  mine.phase = 'kept';
  state.save();
  return true;
}

/** What taking back led to. */
export interface TakenBack extends UndoReport {
  /** A newer steering lies on top: what is taken off together with it. */
  readonly waits: boolean;
}

/** Takes back everything that a process has made and that is still there, what it could not undo before included. */
export function takeBack(state: SteerState, nic: NicSettings, owner: ProcessId): TakenBack {
  const mine = (one: Steering): boolean => same(one.owner, owner) && one.phase === 'held';
  if (!state.steerings.some(mine)) return { undone: 0, lines: [], incomplete: false, waits: false };
  for (const one of state.steerings.filter(mine)) one.ended = true;
  const report = undoAbandoned(state, nic);
  if (report.undone === 0) state.save();
  return { ...report, waits: !report.incomplete && state.steerings.some(mine) };
}
