/** Methods on tracefs on this machine's own kernel: packets through a veth pair of our own, every one counted. */
import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Undo } from '../../bench/lib/undo.js';
import { Veth } from '../../bench/native/veth.js';
import { ftrace } from '../../src/method/ftrace/method.js';
import type { MethodRequest } from '../../src/method/method.js';
import { findTracefs } from '../../src/sys/tracefs.js';
import { compile } from '../support/compile.js';
import { cannotTrace, titled } from './needs.js';
import { RunningTrace, commandLine, linesOf } from './trace.js';

const REQUEST: MethodRequest = {
  until: 'driver',
  ifindex: undefined,
  irqs: [],
  irqOnly: false,
  oneQueue: false,
  queue: undefined,
  cpus: undefined,
  interrupts: false,
  ringBytes: 65_536,
  pages: false,
  interfaces: [],
};

function lacks(): string | undefined {
  if (cannotTrace !== undefined) return cannotTrace;
  const { possible, reason } = ftrace.possible(REQUEST);
  return possible === 'yes' ? undefined : reason;
}

const why = lacks();
const CPU = 0;
const LIMIT = { timeout: 240_000 };

describe.skipIf(why !== undefined)(titled('ftrace on a veth pair', why), () => {
  const undo = new Undo();
  const root = findTracefs() ?? '';
  let link: Veth;
  let program = '';

  beforeAll(async () => {
    program = compile('bench/load/flood.c');
    link = await Veth.create(undo, program, CPU);
  });
  afterAll(() => undo.all());

  const own = (): readonly string[] =>
    readdirSync(`${root}/instances`).filter((name) => name.startsWith('rxstamp_'));

  const trace = (...args: string[]): Promise<RunningTrace> =>
    new RunningTrace(
      [link.name, '--method', 'ftrace', '--format', 'ndjson', ...args],
      link.namespace,
    ).ready();

  function rxstamp(...args: string[]): SpawnSyncReturns<string> {
    const [command, ...words] = commandLine(args);
    return spawnSync(command, words, { encoding: 'utf8', timeout: 20_000 });
  }

  const cleanup = (...args: string[]): SpawnSyncReturns<string> => rxstamp('cleanup', ...args);

  it('sees every packet, with the stack behind the driver', LIMIT, async () => {
    const running = await trace('--until', 'stack', '--buffer', '64MiB');
    const { sent } = await link.flood({ packets: 20_000, bytes: 100 });
    const { code, stdout, stderr } = await running.interrupt();
    expect([code, stderr]).toEqual([0, expect.any(String)]);
    const packets = linesOf(stdout).filter(({ type }) => type === 'packet');
    expect(packets).toHaveLength(sent);
    for (const { stages, length, how } of packets) {
      expect([how, length]).toEqual(['no-irq', 128]);
      expect(stages['stack']).toBeGreaterThan(0);
    }
    expect(own()).toEqual([]);
  });

  it('counts what its buffer could not keep: events seen and lost are all there were', LIMIT, async () => {
    const running = await trace('--buffer', '64KiB');
    // The reader stands still while they come.
    running.kill('SIGSTOP');
    const { sent } = await link.flood({ packets: 20_000, bytes: 100 });
    running.kill('SIGCONT');
    const { code, stdout } = await running.interrupt();
    expect(code).toBe(3);
    const lines = linesOf(stdout);
    const seen = lines.filter(({ type }) => type === 'packet').length;
    const lost = lines.filter(({ type, cause }) => type === 'loss' && cause === 'events_lost');
    expect(seen).toBeGreaterThan(100);
    expect(seen + lost.reduce((sum, { count }) => sum + count, 0)).toBe(sent);
  });

  it(
    'leaves nothing behind after a signal, and what SIGKILL leaves goes by cleanup or at the next start',
    LIMIT,
    async () => {
      const first = await trace();
      expect(own()).toHaveLength(1);
      first.kill('SIGTERM');
      await first.ended();
      expect(own()).toEqual([]);

      const second = await trace();
      expect(cleanup().stdout).toMatch(/^left {6}instance rxstamp_\S+: of process \d+, which is running\n$/);
      second.kill('SIGKILL');
      await second.ended();
      const [name] = own();
      expect(cleanup('--dry-run').stdout).toMatch(new RegExp(`^would go {2}instance ${name}: `));
      expect(own()).toEqual([name]);
      const third = await trace();
      expect(own()).toHaveLength(1);
      expect(own()).not.toContain(name);
      third.kill('SIGKILL');
      expect((await third.ended()).stderr).toContain(`removed instance ${name}`);
      const [last] = own();
      // Any run clears them, one that makes none itself too.
      const other = rxstamp('trace', 'lo', '--method', 'tracepoints', '--duration', '100ms');
      expect(other.stderr).toContain(`note: removed instance ${last}`);
      expect(own()).toEqual([]);

      const fifth = await trace();
      fifth.kill('SIGKILL');
      await fifth.ended();
      expect(cleanup().stdout).toMatch(/^removed {3}instance rxstamp_/);
      expect(own()).toEqual([]);
      expect(cleanup().stdout).toBe('nothing was left behind\n');
    },
  );
});
