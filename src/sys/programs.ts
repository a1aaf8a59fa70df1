/** Other programs of the machine, run for what they print. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Answer, known, unknown } from '../base/answer.js';

/** Debian package of each program that rxstamp may call. */
const PACKAGES: Readonly<Record<string, string>> = { ethtool: 'ethtool', ip: 'iproute2' };

/** Runs a program for its stdout. */
export type RunProgram = (program: string, args: readonly string[]) => Promise<Answer<string>>;

/** A program that hangs must not hang us; one that a busy machine holds up for some seconds must not be given up. */
const LATEST_MS = 15_000;

/** Runs `program`; never throws. Not installed, failed or slower than 15 s: why, with the cure where there is one. */
export const runProgram: RunProgram = (program, args) =>
  new Promise((resolve) => {
    const options = { timeout: LATEST_MS, env: { ...process.env, LC_ALL: 'C', PATH: searchPath() } };
    execFile(program, args, options, (error, stdout, stderr) => {
      if (error === null) resolve(known(stdout));
      else if (error.code === 'ENOENT') {
        resolve(unknown(`${program} is not installed (apt-get install ${PACKAGES[program] ?? program})`));
      } else if (error.killed)
        resolve(unknown(`${program} ${args.join(' ')} did not answer within ${LATEST_MS / 1000} s`));
      else
        resolve(
          unknown(`${program} ${args.join(' ')}: ${lastLine(stderr) || lastLine(stdout) || error.message}`),
        );
    });
  });

/** Answers whether programs are installed, where {@link runProgram} would find them. */
export function programsThere(): (program: string) => boolean {
  const folders = searchPath().split(':');
  return (program) => folders.some((folder) => folder !== '' && existsSync(join(folder, program)));
}

/** Users' search paths often lack the administrators' folders. */
function searchPath(): string {
  return `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`;
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1)?.trim() ?? '';
}
