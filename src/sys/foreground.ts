/** A command of the user, run with this process's own input and output. */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { RxError } from '../base/errors.js';

/** A running command. */
export interface Foreground {
  /** Its exit code, 128 + number when a signal ended it; rejected with RXS_USAGE when it could not be started. */
  readonly done: Promise<number>;
  readonly kill: (signal: NodeJS.Signals) => void;
}

/** Starts a command. */
export function runForeground(argv: readonly string[]): Foreground {
  const [program = '', ...args] = argv;
  const child = spawn(program, args, { stdio: 'inherit' });
  const done = new Promise<number>((resolve, reject) => {
    child.on('error', (cause: NodeJS.ErrnoException) =>
      reject(
        new RxError('RXS_USAGE', {
          doing: 'starting the command',
          subject: JSON.stringify(program),
          why: cause.code ?? cause.message,
          hint: 'is it installed, and spelled as in the shell?',
          cause,
        }),
      ),
    );
    child.on('exit', (code, signal) =>
      resolve(code ?? 128 + (signal === null ? 0 : (constants.signals[signal] ?? 0))),
    );
  });
  return { done, kill: (signal) => void child.kill(signal) };
}
