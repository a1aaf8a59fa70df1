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

/** Network namespaces that these processes live in; any process unless said. */
function namespaces(pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))): Set<string> {
  const found = new Set<string>();
  for (const pid of pids) {
    try {
      found.add(readlinkSync(`/proc/${pid}/ns/net`));
    } catch {
      // It has ended meanwhile, or it is a kernel thread of another owner.
    }
  }
  return found;
}

/** A process and all that it has started, as far as their parents live. */
function family(pid: number): string[] {
  const children = readdirSync('/proc').filter((name) => {
    try {
      // pid (name) state parent …
      return /^\d+$/.test(name) && parentIn(readFileSync(`/proc/${name}/stat`, 'latin1')) === pid;
    } catch {
      return false; // It has ended meanwhile.
    }
  });
  return [String(pid), ...children.flatMap((child) => family(Number(child)))];
}

const parentIn = (stat: string): number => Number(stat.slice(stat.lastIndexOf(')')).split(' ')[2]);

const interfaces = (): string => readFileSync('/proc/net/dev', 'utf8');

describe.skipIf(why !== undefined)(titled(what, why), () => {
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
    // Of the guest's own processes: others on this machine may make namespaces, too.
    const [ours] = namespaces(['self']);
    during = [...namespaces(family(owner.pid ?? 0))].filter((name) => name !== ours);
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
      .poll(() => [...namespaces()].filter((name) => during.includes(name)), { timeout: 30_000 })
      .toEqual([]);
    expect(interfaces()).not.toContain(TAP);
  });
});
