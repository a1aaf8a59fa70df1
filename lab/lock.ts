/**
 * A lock between processes that the kernel gives back whatever happens to its holder: flock(1) on a file, held by a
 * child that ends when our end of its stdin closes, even by SIGKILL.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import type { ChildProcess } from 'node:child_process';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { cached } from './cache.js';
import type { Say } from './progress.js';
import { launch } from './programs.js';

const BUSY = 75;

/** Holds a lock until called. */
export type Release = () => void;

/** The lab, taken for several guests, one after the other. */
export interface Turn {
  readonly release: Release;
}

/** Takes the lock at once or not at all; or waits for it, in a queue that the kernel keeps. */
function take(file: string, waits: boolean): Promise<ChildProcess | undefined> {
  return new Promise((resolve, reject) => {
    const now = waits ? [] : ['--nonblock', '--conflict-exit-code', String(BUSY)];
    const child = launch(
      'flock',
      // The lock of a holder that has died while it waited is given back at once: cat then finds the end of its input.
      [...now, '--no-fork', file, 'sh', '-c', 'echo held; exec cat >/dev/null'],
      // Not in our process group: Ctrl-C must not take the lock away while the guest still runs.
      { stdio: ['pipe', 'pipe', 'ignore'], detached: true },
      reject,
    );
    child.stdout?.once('data', () => resolve(child));
    child.once('exit', () => resolve(undefined));
  });
}

function holder(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim() || 'unknown';
  } catch {
    return 'unknown';
  }
}

/** Takes the lock `file`, waiting for its turn and saying so while another process has it. `who` is what the others then read. */
export async function takeLock(file: string, who: string, say: Say): Promise<Release> {
  let child = await take(file, false);
  while (child === undefined) {
    say(`waiting: in use by ${holder(file)} (lock ${file})`);
    child = await take(file, true);
  }
  writeFileSync(file, `${who}, process ${process.pid}\n`);
  child.unref();
  // The lock must not keep this process alive.
  for (const pipe of [child.stdin, child.stdout]) if (pipe instanceof Socket) pipe.unref();
  return () => void child.stdin?.end();
}

/** Waits until no guest runs, and keeps the lab until released. */
export async function takeTurn(who: string, say: Say): Promise<Turn> {
  return { release: await takeLock(join(cached(), 'guest.lock'), who, say) };
}
