import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { takeLock } from './lock.js';

/** How many processes the kernel lets wait for the lock. */
function queued(file: string): number {
  const waiting = new RegExp(`^\\d+:\\s*-> FLOCK .*:${statSync(file).ino} `, 'gm');
  return (readFileSync('/proc/locks', 'utf8').match(waiting) ?? []).length;
}

describe('takeLock', () => {
  let folder = '';
  let file = '';
  const said: string[] = [];
  const say = (text: string): void => void said.push(text);

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'rxs-lock-'));
    file = join(folder, 'lock');
    said.length = 0;
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('is free again after its release', async () => {
    (await takeLock(file, 'first', say))();
    (await takeLock(file, 'second', say))();
    expect(readFileSync(file, 'utf8')).toContain('second');
    expect(said.length).toBeLessThanOrEqual(1);
  });

  it('goes to those who wait, in their order, and tells who has it', async () => {
    const release = await takeLock(file, 'first', say);
    const order: string[] = [];
    const waiters: Promise<void>[] = [];
    for (const who of ['second', 'third']) {
      const wait = async (): Promise<void> => {
        const next = await takeLock(file, who, say);
        order.push(who);
        next();
      };
      waiters.push(wait());
      await expect.poll(() => queued(file)).toBe(waiters.length);
    }
    expect(said.length).toBe(2);
    expect(order).toEqual([]);
    expect(said[0]).toContain('in use by first');
    release();
    await Promise.all(waiters);
    expect(order).toEqual(['second', 'third']);
  });

  it('is not kept by a waiter that was killed', async () => {
    const release = await takeLock(file, 'first', say);
    const program = `const { takeLock } = await import(${JSON.stringify(new URL('../dist/lab/lock.js', import.meta.url).href)});
      await takeLock(${JSON.stringify(file)}, 'killed', () => process.stdout.write('waiting'));`;
    const waiter = spawn('node', ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    await new Promise((resolve) => waiter.stdout.once('data', resolve));
    await expect.poll(() => queued(file)).toBe(1);
    waiter.kill('SIGKILL');
    release();
    (await takeLock(file, 'third', say))();
    expect(readFileSync(file, 'utf8')).toContain('third');
  });
});
