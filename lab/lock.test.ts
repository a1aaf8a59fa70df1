import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { takeLock } from './lock.js';

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
    const waiters = ['second', 'third'].map(async (who, index) => {
      await new Promise((resolve) => setTimeout(resolve, index * 300));
      const next = await takeLock(file, who, say);
      order.push(who);
      next();
    });
    await expect.poll(() => said.length, { timeout: 5000 }).toBe(2);
    await new Promise((resolve) => setTimeout(resolve, 200));
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
    await new Promise((resolve) => setTimeout(resolve, 200));
    waiter.kill('SIGKILL');
    release();
    (await takeLock(file, 'third', say))();
    expect(readFileSync(file, 'utf8')).toContain('third');
  });
});
