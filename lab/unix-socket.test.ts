import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { connectWhenOpen } from './unix-socket.js';

describe('connectWhenOpen', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'rxs-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('waits for the file and for the listener', async () => {
    const path = join(folder, 's');
    // The file is there before anybody listens.
    writeFileSync(path, '');
    const connecting = connectWhenOpen(path, () => undefined);
    await new Promise((resolve) => setTimeout(resolve, 30));
    rmSync(path);
    const server = createServer().listen(path);
    const socket = await connecting;
    expect(socket.destroyed).toBe(false);
    socket.destroy();
    server.close();
  });

  it('gives up when told to', async () => {
    let tries = 0;
    const check = (): void => {
      tries++;
      if (tries === 3) throw new Error('the guest is gone');
    };
    await expect(connectWhenOpen(join(folder, 'none'), check)).rejects.toThrow('the guest is gone');
  });
});
