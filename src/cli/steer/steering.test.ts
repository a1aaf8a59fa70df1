/** A run of `steer` on a NIC in memory, with counts as the tests have them: what stays, and what is said about it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  type FakeAbilities,
  FakeNic,
  KEY,
  RULES,
  TABLE,
  TABLE_ONLY,
} from '../../../test/support/fake-nic.js';
import { EXIT, RxError } from '../../base/errors.js';
import type { Nic } from '../../nic/nic.js';
import { parseExactFlow } from '../../steer/exact-flow.js';
import { parseFlowExpression } from '../../steer/flow-expression.js';
import type { Verdict } from '../../steer/watch.js';
import { StateFolder } from '../../sys/state-folder.js';
import type { SteerWish } from './options.js';
import { type Counting, SteeringRun } from './steering.js';
import { type SteerTarget, loadState } from './target.js';

const NIC: Nic = {
  name: 'lo',
  ifindex: 1,
  driver: 'fake',
  bus: undefined,
  rxQueues: 2,
  irqs: [],
  noIrqs: 'it has no interrupts',
  lower: [],
};
const WISH: SteerWish = {
  does: 'steer',
  flow: 'udp dst port 9999',
  queue: 1,
  ways: ['rule', 'slot', 'table'],
  verifyNs: 1e6,
  forThisRun: false,
  durationNs: undefined,
  command: [],
  dryRun: false,
} as SteerWish;
const EXACT = parseExactFlow('udp 66.9.149.187:2794 > 161.142.100.80:1766');
const OTHER = TABLE.map(() => 0);

/** Counting that gives these verdicts in turn; `meanwhile` happens while it counts. */
function counting(
  verdicts: readonly Verdict[],
  meanwhile: (done: () => boolean) => Promise<void> | void = () => {},
): Counting & { readonly closed: () => boolean } {
  const left = [...verdicts];
  let closed = false;
  return {
    baseline: () => Promise.resolve(),
    before: () => undefined,
    changing: () => {},
    changed: () => {},
    watch: async (_, done) => meanwhile(done),
    verdict: () => ({ verdict: left.shift() ?? 'verified', words: 'counted' }),
    close: () => {
      closed = true;
    },
    closed: () => closed,
  };
}

describe('a run of steer', () => {
  let root: string;
  const said: string[] = [];
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'rxstamp-run-'));
    said.length = 0;
    const note = (text: unknown): boolean => said.push(String(text)) > 0;
    vi.spyOn(process.stderr, 'write').mockImplementation(note);
    vi.spyOn(process.stdout, 'write').mockImplementation(note);
  });
  afterEach(() => {
    vi.restoreAllMocks();
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.removeAllListeners(signal);
    rmSync(root, { recursive: true, force: true });
  });

  function prepare(abilities: FakeAbilities): { readonly nic: FakeNic; readonly target: SteerTarget } {
    const nic = new FakeNic(abilities);
    const folder = new StateFolder('steer', root);
    const about = { name: 'lo', ifindex: 1, netns: 5, bus: undefined };
    return { nic, target: { nic: NIC, settings: nic, folder, about } };
  }

  const run = (
    target: SteerTarget,
    wish: Partial<SteerWish>,
    check: Counting,
    spec = parseFlowExpression(WISH.flow),
  ): Promise<number> => new SteeringRun(target, { ...WISH, ...wish }, spec).run(check);

  const failure = (promise: Promise<number>): Promise<RxError | number> =>
    promise.catch((error: unknown) => error as RxError);

  it('keeps the steering that works, not the rest of one that could not be undone before', async () => {
    const { nic, target } = prepare(RULES);
    // A driver that takes rules without effect, and cannot delete them the first time.
    let refusals = 0;
    const deleteRule = nic.deleteRule.bind(nic);
    nic.deleteRule = (location) => (refusals++ < 2 ? 'deleting: busy' : deleteRule(location));
    const insert = nic.insertRule.bind(nic);
    let inserted = 0;
    nic.insertRule = (rule) => (inserted++ === 1 ? { known: false, why: 'no more of them' } : insert(rule));
    expect(await run(target, {}, counting(['verified']))).toBe(EXIT.ok);
    const phases = loadState(target).steerings.map(({ way, phase }) => [way, phase]);
    expect(phases).toEqual([
      ['rule', 'held'],
      ['table', 'kept'],
    ]);
  });

  it('takes everything back that it has made, what could not be undone at first included', async () => {
    const { nic, target } = prepare(RULES);
    const before = nic.snapshot();
    let refusals = 0;
    const deleteRule = nic.deleteRule.bind(nic);
    nic.deleteRule = (location) => (refusals++ < 1 ? 'deleting: busy' : deleteRule(location));
    const insert = nic.insertRule.bind(nic);
    let inserted = 0;
    nic.insertRule = (rule) => (inserted++ === 1 ? { known: false, why: 'no more of them' } : insert(rule));
    expect(await run(target, { forThisRun: true }, counting(['verified']))).toBe(EXIT.ok);
    expect(nic.snapshot()).toBe(before);
    expect(target.folder.names()).toEqual([]);
  });

  it('for this run is a failure where something was left or could not be undone', async () => {
    for (const spoil of ['changed by others', 'refused'] as const) {
      const { nic, target } = prepare(TABLE_ONLY);
      const meanwhile = (): void => {
        if (spoil === 'refused') nic.setTable = () => 'setting the RSS table: busy';
        else nic.table = OTHER;
      };
      const code = await run(target, { forThisRun: true }, counting(['verified'], meanwhile));
      expect([spoil, code]).toEqual([spoil, EXIT.failure]);
      expect(said.join('')).toMatch(spoil === 'refused' ? /failed: .*busy/ : /left: the RSS table/);
    }
  });

  it('says that it was undone only where it was', async () => {
    const fine = prepare(TABLE_ONLY);
    const before = fine.nic.snapshot();
    const error = await failure(run(fine.target, {}, counting(['elsewhere'])));
    expect(error).toMatchObject({
      code: 'RXS_STEER_FAILED',
      message: expect.stringMatching(/it was undone$/) as string,
    });
    expect(fine.nic.snapshot()).toBe(before);

    const { nic, target } = prepare(TABLE_ONLY);
    const spoil = (): void => void (nic.setTable = () => 'setting the RSS table: busy');
    expect(await failure(run(target, {}, counting(['elsewhere'], spoil)))).toMatchObject({
      code: 'RXS_STEER_FAILED',
      message: expect.stringMatching(/it is not undone in full/) as string,
    });
    expect(loadState(target).steerings.length).toBe(1);
  });

  it('does not try a wider way on top of one that could not be undone', async () => {
    const { nic, target } = prepare(KEY);
    const spoil = (): void => void (nic.setTable = () => 'setting the RSS table: busy');
    expect(await failure(run(target, {}, counting(['elsewhere', 'verified'], spoil), EXACT))).toMatchObject({
      code: 'RXS_STEER_FAILED',
    });
    expect(said.join('')).not.toContain('trying the next way');
  });

  it('tries the next way where one does not work', async () => {
    const { target } = prepare(KEY);
    const check = counting(['elsewhere', 'verified']);
    expect(await run(target, {}, check, EXACT)).toBe(EXIT.ok);
    expect(said.join('')).toContain('trying the next way');
    expect(loadState(target).steerings.map(({ way, phase }) => [way, phase])).toEqual([['table', 'kept']]);
    expect(check.closed()).toBe(true);
  });

  it('leaves nothing when counting fails', async () => {
    const { nic, target } = prepare(TABLE_ONLY);
    const before = nic.snapshot();
    const broken = counting([], () => Promise.reject(new Error('the ring is gone')));
    expect(await failure(run(target, {}, broken))).toMatchObject({ message: 'the ring is gone' });
    expect(nic.snapshot()).toBe(before);
    expect(target.folder.names()).toEqual([]);
    expect(broken.closed()).toBe(true);
  });

  it('leaves nothing when what was changed cannot be noted', async () => {
    const { nic, target } = prepare({ ...RULES, table: [] });
    const before = nic.snapshot();
    const write = target.folder.write.bind(target.folder);
    let writes = 0;
    target.folder.write = (name, text) => {
      // The note of where the driver has put the rule.
      if (text !== undefined && ++writes === 3) throw new Error('ENOSPC');
      write(name, text);
    };
    expect(await failure(run(target, {}, counting([])))).toMatchObject({ message: 'ENOSPC' });
    expect(writes).toBe(3);
    expect(nic.snapshot()).toBe(before);
  });

  it('is undone when --duration is over, also while the command goes on, and hands its exit code on', async () => {
    const { nic, target } = prepare(TABLE_ONLY);
    const before = nic.snapshot();
    const gone = join(root, 'gone');
    // The command waits for the file that the test writes when it has seen the NIC put back.
    const command = ['sh', '-c', `for i in $(seq 3000); do [ -e ${gone} ] && exit 7; sleep 0.02; done`];
    const wish = { forThisRun: true, command, durationNs: 1e6, verifyNs: 0 };
    let over = false;
    const running = run(target, wish, counting(['untold'])).finally(() => (over = true));
    await vi.waitFor(() => expect(said.join('')).toContain('undone: udp dst port 9999'), 30_000);
    expect([over, nic.snapshot()]).toEqual([false, before]);
    target.folder.write('../gone', '');
    expect(await running).toBe(7);
  });

  it('is undone when the command ends before --duration', async () => {
    const { nic, target } = prepare(TABLE_ONLY);
    const before = nic.snapshot();
    const until = async (done: () => boolean): Promise<void> => {
      expect(nic.snapshot()).not.toBe(before);
      await vi.waitFor(() => expect(done()).toBe(true), 30_000);
    };
    const wish = { forThisRun: true, command: ['sh', '-c', 'exit 3'], durationNs: 60e9 };
    expect(await run(target, wish, counting(['verified'], until))).toBe(3);
    expect(nic.snapshot()).toBe(before);
    expect(said.join('')).not.toContain('--duration is over');
  });
});
