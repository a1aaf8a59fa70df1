/** A command of the user, run with this process's own input and output. */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { RxError } from '../base/errors.js';

/**
 * Runs a command to its end. @returns its exit code, 128 + number when a signal ended it
 * @throws RxError RXS_USAGE when it cannot be started
 */
export function runForeground(argv: readonly string[]): Promise<number> {
  const [program = '', ...args] = argv;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: 'inherit' });
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
}
