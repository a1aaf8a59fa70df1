/** Programs of the machine: to their end, or started and ended by us. */
import { type ChildProcess, type StdioOptions, spawn, spawnSync } from 'node:child_process';
import { RxError } from '../../src/base/errors.js';
import type { Undo } from './undo.js';

const MOST_OUTPUT = 64 * 1024 * 1024;

function missing(program: string): RxError {
  return new RxError('RXS_NEEDS_PROGRAM', {
    doing: 'starting the program',
    subject: program,
    why: 'it is not installed',
    hint: 'run: sh scripts/setup.sh bench',
  });
}

/** True when a program can be found. */
export function installed(program: string): boolean {
  return spawnSync('sh', ['-c', 'command -v "$1"', 'sh', program]).status === 0;
}

/** Runs a program to its end; its output, whatever its exit code. */
export function tryRun(
  program: string,
  args: readonly string[],
): { readonly code: number; readonly stdout: string; readonly stderr: string } {
  const done = spawnSync(program, args, { encoding: 'utf8', maxBuffer: MOST_OUTPUT });
  if (done.error !== undefined && 'code' in done.error && done.error.code === 'ENOENT')
    throw missing(program);
  return { code: done.status ?? 1, stdout: done.stdout, stderr: done.stderr };
}

/** Runs a program that must succeed. @throws RxError RXS_SYS with its last words, RXS_NEEDS_PROGRAM */
export function mustRun(doing: string, program: string, args: readonly string[]): string {
  const done = tryRun(program, args);
  if (done.code === 0) return done.stdout;
  throw new RxError('RXS_SYS', {
    doing,
    why: `${program} ended with code ${done.code}: ${done.stderr.trim().split('\n').slice(-2).join(' | ')}`,
    hint: `run it by hand: ${program} ${args.join(' ')}`,
  });
}

/** A program that runs beside the bench. */
export interface Started {
  readonly child: ChildProcess;
  readonly pid: number;
  /** Exit code once it has ended; 128 + number for a signal we did not send. */
  readonly ended: Promise<number>;
  /** What it said on standard error. */
  words(): string;
}

/** Starts a program; it is killed when the bench ends. Standard error is kept unless `stdio` says otherwise. */
export async function start(
  undo: Undo,
  program: string,
  args: readonly string[],
  stdio: StdioOptions = ['ignore', 'ignore', 'pipe'],
): Promise<Started> {
  const child = spawn(program, args, { stdio });
  const words: Buffer[] = [];
  child.stderr?.on('data', (chunk: Buffer) => words.push(chunk));
  const forget = undo.add(() => child.kill('SIGKILL'));
  const ended = new Promise<number>((resolve) => {
    child.once('close', (code) => {
      forget();
      resolve(code ?? 128);
    });
  });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (error: NodeJS.ErrnoException) =>
      reject(error.code === 'ENOENT' ? missing(program) : error),
    );
  });
  return { child, pid: child.pid as number, ended, words: () => Buffer.concat(words).toString() };
}

/** Waits until `done` says so, or gives up. */
export async function waitFor(
  what: string,
  done: () => boolean,
  limits: { readonly seconds: number; readonly everyMs?: number; readonly between?: () => void },
): Promise<void> {
  const end = performance.now() + limits.seconds * 1000;
  while (!done()) {
    if (performance.now() > end) {
      throw new RxError('RXS_SYS', {
        doing: 'waiting for',
        subject: what,
        why: `nothing after ${limits.seconds} s`,
        hint: 'is the machine very busy? run the bench again when it is quiet',
      });
    }
    limits.between?.();
    await new Promise((resolve) => setTimeout(resolve, limits.everyMs ?? 50));
  }
}
