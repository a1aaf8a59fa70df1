/** `rxstamp steer`: which of its jobs. */
import { EXIT } from '../../base/errors.js';
import { showLines, steeringText } from '../../steer/show.js';
import { abandoned } from '../../steer/state.js';
import { undoWhile } from '../../steer/undo.js';
import type { SteerOptions } from './options.js';
import { runSteering } from './steering.js';
import { type SteerTarget, checkMayChange, forgetGone, loadState, steerTarget } from './target.js';
import { runWhich } from './which.js';

const say = (lines: readonly string[]): void => void process.stderr.write(`${lines.join('\n')}\n`);

/** Runs one steer command. @returns the exit code */
export function runSteer(iface: string, options: SteerOptions): Promise<number> {
  const target = steerTarget(iface);
  switch (options.does) {
    case 'show':
      return Promise.resolve(show(target));
    case 'undo':
      return undo(target, options.all);
    case 'which':
      return runWhich(target, options.flow, options.verifyNs);
    case 'steer':
      return runSteering(target, options);
  }
}

function show(target: SteerTarget): number {
  const lines = showLines(target.nic, target.settings, loadState(target).steerings);
  process.stdout.write(`${lines.join('\n')}\n`);
  return EXIT.ok;
}

function undo(target: SteerTarget, all: boolean): Promise<number> {
  checkMayChange();
  return target.folder.locked(() => {
    forgetGone(target);
    const state = loadState(target);
    if (state.top === undefined) {
      say([`rxstamp has changed nothing on ${target.nic.name} that is still there`]);
      return EXIT.ok;
    }
    // What dead processes left comes off first, and counts.
    const report = undoWhile(
      state,
      target.settings,
      (top, undone) => abandoned(top) || (top.phase === 'kept' && (all || undone === 0)),
    );
    if (report.lines.length > 0) say(report.lines);
    if (state.top !== undefined) say(['still there:', ...state.steerings.map(steeringText)]);
    return report.incomplete || report.undone === 0 ? EXIT.failure : EXIT.ok;
  });
}
