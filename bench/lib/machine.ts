/** Where and with what a result was made: it is worth nothing without. */
import { readFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { kernelRelease } from '../../src/sys/kernel-config.js';
import { version } from '../../src/sys/package.js';
import { installed, tryRun } from './run.js';

/** The machine and its software. */
export interface Machine {
  readonly date: string;
  readonly rxstamp: string;
  readonly commit: string;
  readonly kernel: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryMiB: number;
  readonly node: string;
  readonly tools: Readonly<Record<string, string>>;
  /** 1, 5 and 15 minutes before the run. */
  readonly loadBefore: string;
}

const first = (text: string): string => text.trim().split('\n')[0] ?? '';

function tool(name: string): string {
  if (!installed(name)) return 'not installed';
  const said = tryRun(name, ['--version']);
  return first(`${said.stdout}\n${said.stderr}`);
}

/** Describes this machine. `peers` are the programs compared with. */
export function describeMachine(peers: readonly string[]): Machine {
  return {
    date: new Date().toISOString(),
    rxstamp: version(),
    commit: first(tryRun('git', ['rev-parse', '--short', 'HEAD']).stdout) || 'unknown',
    kernel: kernelRelease(),
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryMiB: Math.round(totalmem() / 2 ** 20),
    node: process.version,
    tools: Object.fromEntries(peers.map((name) => [name, tool(name)])),
    loadBefore: first(readFileSync('/proc/loadavg', 'utf8')).split(' ').slice(0, 3).join(' '),
  };
}
