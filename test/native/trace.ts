/** Runs `rxstamp trace` as a user does: a process of its own, its output in a file so that no slow reader holds it up. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from '../../src/sys/package.js';

/** A busy machine may let a process wait for seconds, several times. */
const LATEST_MS = 30_000;

const MAIN = join(packageRoot, 'dist/src/cli/main.js');

/** A command line that runs rxstamp, in a network namespace if one is named, where the tracing files are mounted for it. */
export function commandLine(args: readonly string[], namespace?: string): [string, ...string[]] {
  const command = [process.execPath, MAIN, ...args] as const;
  if (namespace === undefined) return [...command];
  // `ip netns exec` gives it a /sys and mounts of its own.
  const mounted = 'mount -t tracefs tracefs /sys/kernel/tracing && exec "$@"';
  return ['ip', 'netns', 'exec', namespace, 'sh', '-c', mounted, 'sh', ...command];
}

/** How a trace ended. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stderr: string;
  readonly stdout: string;
}

/** A trace that runs. */
export class RunningTrace {
  readonly child: ChildProcess;
  readonly pid: number;
  private readonly folder: string;
  private readonly path: string;
  private readonly closed: Promise<void>;
  private readonly headed: boolean;
  private stderr = '';

  constructor(args: readonly string[], namespace?: string) {
    this.folder = mkdtempSync(join(tmpdir(), 'rxstamp-trace-'));
    this.path = join(this.folder, 'stdout');
    const file = openSync(this.path, 'w');
    const [program, ...words] = commandLine(['trace', ...args], namespace);
    this.child = spawn(program, words, { stdio: ['ignore', file, 'pipe'] });
    closeSync(file);
    this.headed = !args.includes('times');
    this.pid = this.child.pid ?? 0;
    this.child.stderr?.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()));
    this.closed = new Promise((resolve) => this.child.once('close', () => resolve()));
  }

  /**
   * Waits until the hooks are attached: until the output begins, or for a format that has no beginning, until SIGHUP is
   * caught. Both come behind the last hook (run() in src/cli/trace/run.ts), however long the trace was held up between two.
   */
  async ready(): Promise<this> {
    await this.until('start', () => (this.headed ? statSync(this.path).size > 0 : catchesHangup(this.pid)));
    return this;
  }

  /** Waits until `done` says so of what the trace has said so far. `what` it did not come to is named in the error. */
  async until(what: string, done: (stdout: string, stderr: string) => boolean): Promise<void> {
    const end = performance.now() + LATEST_MS;
    while (!done(this.said(), this.stderr)) {
      if (performance.now() > end || this.child.exitCode !== null) {
        this.kill('SIGKILL');
        await this.ended();
        throw new Error(`the trace did not come to: ${what}: ${this.stderr || `not within ${LATEST_MS} ms`}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 40));
    }
  }

  /** What it has said so far on standard output. */
  said(): string {
    return readFileSync(this.path, 'utf8');
  }

  /** When the first line was written, which is when a trace without packets begins; milliseconds as of Date.now(). */
  begun(): number {
    return statSync(this.path).mtimeMs;
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Waits for the end, at most a minute, and removes the output file. */
  async ended(): Promise<Ended> {
    const guard = setTimeout(() => this.child.kill('SIGKILL'), 60_000);
    await this.closed;
    clearTimeout(guard);
    const stdout = readFileSync(this.path, 'utf8');
    rmSync(this.folder, { recursive: true, force: true });
    return { code: this.child.exitCode, signal: this.child.signalCode, stderr: this.stderr, stdout };
  }

  /** Stops it as Ctrl-C does. */
  async interrupt(): Promise<Ended> {
    this.kill('SIGINT');
    return this.ended();
  }
}

function catchesHangup(pid: number): boolean {
  try {
    const caught = /^SigCgt:\s*([0-9a-f]+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    // Bit 0 is signal 1, SIGHUP. Node itself catches SIGINT and SIGTERM from its start on.
    return (BigInt(`0x${caught ?? '0'}`) & 1n) === 1n;
  } catch {
    return false; // it has ended
  }
}

/** How many packets NDJSON output tells. */
export const packetsIn = (stdout: string): number => stdout.split('\n{"type":"packet",').length - 1;

/** A line of NDJSON output, with what the tests look at. */
export interface Line {
  readonly type: 'meta' | 'packet' | 'interrupt' | 'loss' | 'note' | 'summary';
  readonly number: number;
  readonly arrival: string;
  readonly time: string;
  readonly how: string;
  readonly irq?: number;
  readonly cpu: number | null;
  readonly queue: number | null;
  readonly length: number;
  readonly count: number;
  readonly cause: string;
  /** Of a note. */
  readonly what: string;
  readonly text: string;
  readonly from: string;
  readonly to: string;
  readonly packets: number;
  readonly packetsLost: number;
  readonly lost: number;
  readonly interrupts: number;
  readonly stages: Readonly<Record<string, number>>;
  readonly flow: { readonly sourcePort?: number; readonly destinationPort?: number };
}

/** Parses NDJSON; every line must be whole. */
export function linesOf(stdout: string): Line[] {
  const lines = stdout.split('\n');
  if (lines.pop() !== '') throw new Error('the last line has no end');
  return lines.map((line) => JSON.parse(line) as Line);
}
