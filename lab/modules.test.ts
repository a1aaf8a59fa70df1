import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dependsOf, moduleClosure } from './modules.js';

const fake = (depends: string): Buffer =>
  Buffer.from(`\x7fELF\0license=GPL\0depends=${depends}\0retpoline=Y\0`);

describe('dependsOf', () => {
  it('reads the names out of .modinfo, with one spelling', () => {
    expect(dependsOf(fake('dca,i2c-algo-bit'))).toEqual(['dca', 'i2c_algo_bit']);
    expect(dependsOf(fake(''))).toEqual([]);
    expect(dependsOf(Buffer.from('nothing'))).toEqual([]);
  });
});

describe('moduleClosure', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'rxs-'));
    mkdirSync(join(folder, 'kernel/deep'), { recursive: true });
    writeFileSync(join(folder, 'modules.builtin'), 'kernel/fs/ext4/ext4.ko\nkernel/ptp/ptp.ko\n');
    writeFileSync(join(folder, 'kernel/deep/igb.ko'), fake('i2c-algo-bit,ptp,dca'));
    writeFileSync(join(folder, 'kernel/i2c-algo-bit.ko'), fake(''));
    writeFileSync(join(folder, 'kernel/dca.ko'), fake(''));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('puts what a module needs before it, once, without what is built in', async () => {
    const modules = await moduleClosure(folder, ['igb', 'dca', 'ext4']);
    expect(modules.map((module) => module.name)).toEqual(['i2c_algo_bit', 'dca', 'igb']);
  });

  it('names a module the kernel does not have', async () => {
    await expect(moduleClosure(folder, ['ixgbe'])).rejects.toThrow(/ixgbe.*no such module/);
  });
});
