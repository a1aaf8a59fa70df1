/** Packets chosen by the time that they took: on a veth pair of our own, and on this machine's NIC, only looked at. */
import { spawn, spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Undo } from '../../bench/lib/undo.js';
import { Veth } from '../../bench/native/veth.js';
import { compile } from '../support/compile.js';
import { cannotTrace, ownNic, titled } from './needs.js';
import { type Line, RunningTrace, commandLine, linesOf } from './trace.js';

const LIMIT = { timeout: 240_000 };
const SENT = 4000;

/** What a trace with a filter says: its packets, and its summary. */
function chosen(stdout: string) {
  const lines = linesOf(stdout);
  const summary = lines.at(-1) as Line & {
    readonly seen: number;
    readonly records: number;
    readonly stopped: Readonly<Record<string, number>>;
  };
  return { packets: lines.filter((line) => line.type === 'packet'), summary };
}

describe.skipIf(cannotTrace !== undefined)(titled('packets chosen on a veth pair', cannotTrace), () => {
  const undo = new Undo();
  let link: Veth;
  let program = '';

  beforeAll(async () => {
    program = compile('bench/load/flood.c');
    link = await Veth.create(undo, program, 0);
  });
  afterAll(() => undo.all());

  async function trace(...args: string[]) {
    const running = new RunningTrace([link.name, '--format', 'ndjson', ...args], link.namespace);
    await running.ready();
    const words = ['198.18.0.2', '9999', String(SENT), '100', '0', '2'];
    const tx = link.namespace.replace(/rx$/, 'tx');
    const done = spawnSync('ip', ['netns', 'exec', tx, program, ...words], {
      encoding: 'utf8',
      timeout: 30_000,
    });
    expect(done.stdout).toContain(`"sent":${SENT},"failed":0`);
    return running.interrupt();
  }

  it('by a time between two stages are all that took longer, and the others are counted', LIMIT, async () => {
    const took = (line: Line): number => (line.stages['stack'] as number) - (line.stages['driver'] as number);
    let shown = 0;
    // A core may be slower throughout than it was a second ago (its twin, its clock, its host): then the median of one
    // trace does not part the packets of the next, and is measured anew. What is shown must be right every time.
    for (let round = 0; round < 20 && (shown === 0 || shown === SENT); round++) {
      const whole = chosen((await trace('--until', 'stack')).stdout);
      const times = whole.packets.map(took).sort((a, b) => a - b);
      const median = times[SENT / 2] as number;
      const { code, stdout } = await trace('--slower-than', `driver..stack=${median}ns`);
      const { packets, summary } = chosen(stdout);
      expect(code).toBe(0);
      expect(packets.filter((line) => took(line) <= median)).toEqual([]);
      expect(summary).toMatchObject({ packets: packets.length, seen: SENT, lost: 0 });
      expect(summary.stopped).toMatchObject({ faster: SENT - packets.length, unstamped: 0 });
      expect(packets.map((line) => line.number)).toEqual(packets.map((_, index) => index + 1));
      shown = packets.length;
    }
    expect(shown).toBeGreaterThan(0);
    expect(shown).toBeLessThan(SENT);
  });

  it('are none where none took longer, and all where every one did', LIMIT, async () => {
    const none = chosen((await trace('--slower-than', '1h')).stdout);
    expect([none.packets.length, none.summary.seen]).toEqual([0, SENT]);
    const all = chosen((await trace('--slower-than', 'driver..stack=0ns')).stdout);
    expect([all.packets.length, all.summary.seen]).toEqual([SENT, SENT]);
  });

  it('count for -c when they are shown', LIMIT, async () => {
    const { code, stdout } = await trace('--slower-than', 'driver..stack=0ns', '-c', '5');
    expect(code).toBe(0);
    expect(chosen(stdout).packets.length).toBe(5);
  });

  it('by process are none where nobody reads, or it is said why reading cannot be seen', LIMIT, async () => {
    const args = ['trace', link.name, '--pid', String(process.pid), '--duration', '300ms'];
    const [command, ...words] = commandLine(args, link.namespace);
    const tried = spawnSync(command, words, { encoding: 'utf8', timeout: 20_000 });
    if (tried.status !== 0) {
      expect(tried.stderr).toMatch(
        /^RXS_NO_HOOK: choosing packets by stage read: it is not stamped here: .+\. hint: trace without --pid; .+\n$/,
      );
      expect([tried.status, tried.stdout]).toEqual([1, '']);
      return;
    }
    // The receiving end has no socket: nobody reads any of it.
    const { packets, summary } = chosen((await trace('--pid', String(process.pid))).stdout);
    expect([packets.length, summary.seen, summary.stopped['unread']]).toEqual([0, SENT, SENT]);
  });

  it('cannot be those of a process that there is not', () => {
    const [command, ...words] = commandLine(['trace', link.name, '--pid', '4194305'], link.namespace);
    const { stderr, status } = spawnSync(command, words, { encoding: 'utf8', timeout: 20_000 });
    expect([status, stderr]).toEqual([
      2,
      'RXS_NO_PROCESS: choosing packets read by process 4194305: there is none. hint: pgrep finds processes by name\n',
    ]);
  });

  it('cannot be asked about a stage that is not stamped here: nothing would ever match', () => {
    const args = ['trace', link.name, '--slower-than', 'isr..driver=1us', '--duration', '300ms'];
    const [command, ...words] = commandLine(args, link.namespace);
    const running = spawnSync(command, words, { encoding: 'utf8', timeout: 20_000 });
    expect(running.stderr).toBe(
      'RXS_NO_HOOK: choosing packets by stage isr: it is not stamped here: the interface has no interrupts. hint: name two of driver\n',
    );
    expect([running.status, running.stdout]).toEqual([1, '']);
  });
});

const why =
  cannotTrace ?? (ownNic === undefined ? 'the default route has no NIC with interrupts' : undefined);

describe.skipIf(why !== undefined)(titled('packets chosen on the NIC of the default route', why), () => {
  it('cost nothing in the ring when the kernel stops them, and are counted there', LIMIT, async () => {
    const running = await new RunningTrace(['--format', 'ndjson', '--slower-than', 'isr..driver=1h']).ready();
    const child = spawn('npm', ['view', 'koffi', 'version', '--prefer-online'], {
      stdio: 'ignore',
      timeout: 20_000,
    });
    await new Promise<void>((resolve) => child.once('close', () => resolve()));
    const { code, stdout } = await running.interrupt();
    const { packets, summary } = chosen(stdout);
    expect([code, packets.length, summary.records]).toEqual([0, 0, 0]);
    expect(summary.seen, 'no traffic came: is the machine off line?').toBeGreaterThan(0);
    expect(summary.seen).toBe((summary.stopped['faster'] ?? 0) + (summary.stopped['unstamped'] ?? 0));
  });
});
