/** `steer` where there is nothing to steer: software interfaces, in a network namespace of their own. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mustRun, tryRun } from '../../bench/lib/run.js';
import { cannotTrace, titled } from './needs.js';
import { commandLine } from './trace.js';

const SPACE = `rxsteer-${process.pid}`;
const STATE = '/run/rxstamp/steer';

function steer(...args: string[]): {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
} {
  const [program, ...words] = commandLine(['steer', ...args], SPACE);
  const { status, stdout, stderr } = spawnSync(program, words, { encoding: 'utf8', timeout: 20_000 });
  return { code: status, stdout, stderr };
}

const remembered = (): string[] =>
  existsSync(STATE) ? readdirSync(STATE).filter((name) => name.endsWith('.json')) : [];

describe.skipIf(cannotTrace !== undefined)(titled('steer on veth', cannotTrace), () => {
  const before = remembered();
  beforeAll(() => {
    mustRun('making a namespace', 'ip', ['netns', 'add', SPACE]);
    for (const [name, queues] of [
      ['one', '1'],
      ['two', '2'],
    ] as const) {
      const pair = ['link', 'add', name, 'numrxqueues', queues, 'type', 'veth', 'peer', 'name', `${name}p`];
      mustRun('making a veth pair', 'ip', ['-n', SPACE, ...pair]);
    }
  });
  afterAll(() => void tryRun('ip', ['netns', 'del', SPACE]));

  it('refuses with the reasons of the driver, way by way, and leaves nothing', () => {
    const { code, stdout, stderr } = steer('two', 'udp dst port 9999', '--queue', '1');
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/^RXS_NO_STEERING: steering to queue 1 of two: [^\n]+\. hint: [^\n]+\n$/);
    expect(stderr).toMatch(/n-tuple rules: the driver does not support it \(EOPNOTSUPP\)/);
    expect(stderr).toMatch(/RSS table: the driver does not support it \(EOPNOTSUPP\)/);
    expect(remembered()).toEqual(before);
    expect(steer('two', 'udp', '--queue', '1', '--by', 'rule').stderr).toMatch(
      /without --by, the RSS table would be tried/,
    );
  });

  it('says where there is only one queue, and that a queue is not there', () => {
    expect(steer('one', 'udp', '--queue', '0')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^RXS_NO_STEERING: .*one has one receive queue/) as string,
    });
    expect(steer('two', 'udp', '--queue', '2')).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/^RXS_NO_QUEUE: .*queues are 0 to 1/) as string,
    });
    expect(steer('one', '--which', 'udp 10.0.0.2:1 > 10.0.0.1:2')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/→ queue 0 → .*\nground: it is the only receive queue\n$/) as string,
    });
  });

  it('does not guess a queue', () => {
    const { code, stdout } = steer('two', '--which', 'udp 10.0.0.2:1 > 10.0.0.1:2', '--verify', '200ms');
    expect(code).toBe(4);
    expect(stdout).toMatch(
      /^cannot be computed: RSS table: the driver does not support it \(EOPNOTSUPP\)\nseen in [\d.]+ s: none\n$/,
    );
  });

  it('shows what there is, and has nothing to undo', () => {
    expect(steer('two', '--show')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(
        /^two: no driver, 2 receive queues\n  queue 0 → two is a software interface/,
      ) as string,
    });
    expect(steer('two', '--undo')).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/has changed nothing/) as string,
    });
  });

  it('needs CAP_NET_ADMIN to change, not to show', () => {
    const bounded = ['setpriv', '--bounding-set=-net_admin', '--inh-caps=-net_admin'];
    const [program, ...words] = ['ip', 'netns', 'exec', SPACE, ...bounded, ...commandLine(['steer', 'two'])];
    const run = (...args: string[]): ReturnType<typeof spawnSync> =>
      spawnSync(program, [...words, ...args], { encoding: 'utf8' });
    expect(run('udp', '--queue', '1')).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/^RXS_NO_PRIVILEGE: .*lacks CAP_NET_ADMIN/) as string,
    });
    expect(run('--show')).toMatchObject({ status: 0, stderr: '' });
  });

  it('undoes, shows and tells without libbpf: only watching needs it', () => {
    const folder = mkdtempSync(join(tmpdir(), 'rxstamp-steer-'));
    writeFileSync(join(folder, 'libbpf.so.1'), 'no library');
    const run = (...args: string[]): ReturnType<typeof spawnSync> => {
      // The ip program needs libbpf itself.
      const program = ['env', `LD_LIBRARY_PATH=${folder}`, ...commandLine(['steer', 'two', ...args])];
      return spawnSync('ip', ['netns', 'exec', SPACE, ...program], { encoding: 'utf8', timeout: 20_000 });
    };
    expect(run('--undo')).toMatchObject({
      status: 0,
      stderr: expect.stringMatching(/has changed nothing/) as string,
    });
    expect(run('--show')).toMatchObject({ status: 0, stderr: '' });
    expect(run('--which', 'udp 10.0.0.2:1 > 10.0.0.1:2', '--verify', '200ms')).toMatchObject({
      status: 4,
      stdout: expect.stringMatching(/not watched: loading libbpf\.so\.1: .*not installed/) as string,
    });
    expect(run('udp', '--queue', '1')).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/^RXS_NO_STEERING: /) as string,
    });
    rmSync(folder, { recursive: true });
  });
});
