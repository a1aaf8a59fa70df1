import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { S_IFDIR, S_IFREG, cpioArchive } from './cpio.js';

describe('cpioArchive', () => {
  const archive = cpioArchive([
    { path: 'bin', mode: S_IFDIR | 0o755 },
    { path: 'bin/a', mode: S_IFREG | 0o755, data: Buffer.from('hello') },
    { path: 'dev-node', mode: 0o020600, device: [5, 1] },
  ]);

  it('aligns every part to four bytes and ends with the trailer', () => {
    expect(archive.length % 4).toBe(0);
    expect(archive.subarray(0, 6).toString()).toBe('070701');
    expect(archive.includes('TRAILER!!!\0')).toBe(true);
  });

  it('gives the same bytes for the same entries', () => {
    const entry = { path: 'x', mode: S_IFREG | 0o644, data: Buffer.alloc(3) };
    expect(cpioArchive([entry])).toEqual(cpioArchive([entry]));
  });

  const busybox = spawnSync('busybox', ['cpio', '-t'], { input: archive });
  it.skipIf(busybox.error !== undefined)('is read by busybox cpio', () => {
    expect(busybox.stdout.toString().trim().split('\n')).toEqual(['bin', 'bin/a', 'dev-node']);
  });
});
