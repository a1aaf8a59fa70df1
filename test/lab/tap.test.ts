/** A guest on a tap leaves nothing on this machine, even when its owner is killed. */
import { spawn } from 'node:child_process';
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TAP } from '../../lab/tap.js';
import { packageRoot } from '../../src/sys/package.js';
import { titled } from '../support/titled.js';
import { cannotBoot } from './needs.js';

const why = cannotBoot('virtio,queues=2');
const what = 'a guest with two virtio queues whose owner is killed by SIGKILL';

/** Network namespaces that any process lives in. */
function namespaces(): Set<string> {
  const found = new Set<string>();
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      found.add(readlinkSync(`/proc/${pid}/ns/net`));
    } catch {
      // It has ended meanwhile, or it is a kernel thread of another owner.
    }
  }
  return found;
}

const interfaces = (): string => readFileSync('/proc/net/dev', 'utf8');

describe.skipIf(why !== undefined)(titled(what, why), () => {
  const before = namespaces();
  const words = [
    'lab',
    '--nic',
    'virtio,queues=2',
    '--',
    'sh',
    '-c',
    'echo up; ls /sys/class/net/eth0/queues; sleep 300',
  ];
  const owner = spawn('node', [join(packageRoot, 'dist/src/cli/main.js'), ...words], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let output = '';
  let during: string[] = [];

  beforeAll(async () => {
    await new Promise<void>((resolve, reject) => {
      owner.stdout.on('data', (chunk: Buffer) => {
        output += chunk.toString();
        if (output.includes('tx-1')) resolve();
      });
      owner.once('exit', (code) => reject(new Error(`the lab ended with ${code}: ${output}`)));
    });
    during = [...namespaces()].filter((name) => !before.has(name));
    owner.removeAllListeners('exit');
    owner.kill('SIGKILL');
  });
  afterAll(() => owner.kill('SIGKILL'));

  it('had its queues, in one namespace of its own, and nothing in ours', () => {
    expect(output).toContain('rx-1');
    expect(during).toHaveLength(1);
    expect(interfaces()).not.toContain(TAP);
  });

  it('leaves no namespace, and so no tap', async () => {
    await expect
      .poll(() => [...namespaces()].filter((name) => during.includes(name)), { timeout: 5000 })
      .toEqual([]);
    expect(interfaces()).not.toContain(TAP);
  });
});
