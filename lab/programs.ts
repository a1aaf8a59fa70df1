/** Runs the machine's programs for the lab: apt, dpkg, xz, QEMU. */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { RxError } from '../src/base/errors.js';

/** Debian package that brings a program, for the hint when it is missing. */
const PACKAGES: Readonly<Record<string, string>> = {
  'apt-get': 'apt',
  'apt-cache': 'apt',
  'apt-config': 'apt',
  'dpkg-deb': 'dpkg',
  xz: 'xz-utils',
  zstd: 'zstd',
  flock: 'util-linux',
  setpriv: 'util-linux',
  unshare: 'util-linux',
  ip: 'iproute2',
};

/** What a finished program left. */
export interface Outcome {
  readonly code: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** The error for a program that is not installed. */
export function missingProgram(program: string, cause: unknown): RxError {
  return new RxError('RXS_NEEDS_PROGRAM', {
    doing: 'starting the program',
    subject: program,
    why: 'it is not installed',
    hint: `install the Debian package ${PACKAGES[program] ?? program}, or run: sh scripts/setup.sh lab`,
    cause,
  });
}

/** Starts a program; a program that is not there becomes RXS_NEEDS_PROGRAM through `failed`. */
export function launch(
  program: string,
  args: readonly string[],
  options: SpawnOptions,
  failed: (error: RxError) => void,
): ChildProcess {
  const child = spawn(program, args, options);
  child.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') failed(missingProgram(program, error));
    else
      failed(
        new RxError('RXS_LAB', {
          doing: 'starting the program',
          subject: program,
          why: error.message,
          hint: 'check that it can be executed',
          cause: error,
        }),
      );
  });
  return child;
}

/** Runs a program to its end and returns what it printed. Never throws for a non-zero exit code. */
export function run(
  program: string,
  args: readonly string[],
  options: { env?: NodeJS.ProcessEnv; cwd?: string; input?: Buffer } = {},
): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = launch(
      program,
      args,
      { ...options, stdio: [options.input ? 'pipe' : 'ignore', 'pipe', 'pipe'] },
      reject,
    );
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout?.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr?.on('data', (chunk: Buffer) => err.push(chunk));
    // A reader that leaves early must not take us down; its exit code tells.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(options.input);
    child.on('close', (code) =>
      resolve({ code: code ?? 1, stdout: Buffer.concat(out), stderr: Buffer.concat(err).toString() }),
    );
  });
}

/** Runs a program that must succeed; its last words become the reason otherwise. */
export async function mustRun(
  doing: string,
  program: string,
  args: readonly string[],
  options: { env?: NodeJS.ProcessEnv; cwd?: string; input?: Buffer; hint?: string } = {},
): Promise<Buffer> {
  const done = await run(program, args, options);
  if (done.code === 0) return done.stdout;
  const lines = `${done.stdout.toString()}\n${done.stderr}`.split('\n').filter((line) => line.trim() !== '');
  throw new RxError('RXS_LAB', {
    doing,
    why: `${program} ended with code ${done.code}: ${lines.slice(-3).join(' | ') || 'no output'}`,
    hint: options.hint ?? `run it by hand: ${program} ${args.join(' ')}`,
  });
}
