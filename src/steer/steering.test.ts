/** Planning, doing and undoing on NICs in memory, with the process killed at every point. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import {
  type FakeAbilities,
  FakeNic,
  KEY,
  Killed,
  RULES,
  TABLE_ONLY,
  planFor as plan,
} from '../../test/support/fake-nic.js';
import { RxError } from '../base/errors.js';
import { thisProcess } from '../sys/process.js';
import { StateFolder } from '../sys/state-folder.js';
import { doStep } from './apply.js';
import { parseExactFlow } from './exact-flow.js';
import { parseFlowExpression } from './flow-expression.js';
import type { FlowSpec } from './flow-spec.js';
import type { Candidate, Way } from './plan.js';
import { encodeRule } from './rules.js';
import { SteerState, type Steering, abandoned } from './state.js';
import { undoAbandoned, undoWhile } from './undo.js';

const root = mkdtempSync(join(tmpdir(), 'rxstamp-steer-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const ABOUT = { name: 'eth0', ifindex: 2, netns: 4_026_531_840, bus: '0000:00:03.0' };
const DEAD = { pid: 2 ** 22 + 1, started: 1 };
const udp = parseFlowExpression('udp dst port 9999');

function steering(change: Partial<Steering> = {}): Steering {
  return {
    flow: 'udp dst port 9999',
    queue: 1,
    way: 'rule',
    at: '2026-01-01T00:00:00.000Z',
    owner: DEAD,
    phase: 'held',
    ended: false,
    steps: [],
    ...change,
  };
}

/** Does a candidate as the command does it: written down, then done. */
function perform(
  nic: FakeNic,
  state: SteerState,
  candidate: Candidate,
  change: Partial<Steering> = {},
): string[] {
  const one = steering({ way: candidate.way, ...change });
  state.steerings.push(one);
  const refusals: string[] = [];
  for (const step of candidate.steps) {
    one.steps.push(step);
    state.save();
    const why = doStep(nic, step, () => state.save());
    if (why !== undefined) refusals.push(why);
  }
  return refusals;
}

let folders = 0;
const freshFolder = (): StateFolder => new StateFolder(`steer-${folders++}`, root);

describe('a steering', () => {
  const flows: [string, FakeAbilities, FlowSpec, Way][] = [
    ['a table', TABLE_ONLY, udp, 'table'],
    ['rules behind a switch', RULES, udp, 'rule'],
    ['rules where the driver likes', { ...RULES, picksLocation: true }, udp, 'rule'],
    ['hash fields and an entry', KEY, parseExactFlow('udp 66.9.149.187:2794 > 161.142.100.80:1766'), 'slot'],
    ['a table in its default', { ...TABLE_ONLY, table: [0, 1, 0, 1] }, udp, 'table'],
  ];

  it.each(flows)('by %s is undone to the byte, wherever the process is killed', (_, abilities, flow, way) => {
    const whole = new FakeNic(abilities);
    const folder = freshFolder();
    expect(
      perform(whole, SteerState.load(folder, ABOUT), plan(whole, flow, 1, [way]).candidates[0]!),
    ).toEqual([]);
    const { writes } = whole;
    expect(writes).toBeGreaterThan(0);
    for (let point = 1; point <= writes + 0.5; point += 0.5) {
      const nic = new FakeNic(abilities);
      const before = nic.snapshot();
      const here = freshFolder();
      nic.killAt = point;
      const attempt = (): unknown =>
        perform(nic, SteerState.load(here, ABOUT), plan(nic, flow, 1, [way]).candidates[0]!);
      if (point <= writes || point % 1 !== 0) expect(attempt, `killed at ${point}`).toThrow(Killed);
      nic.killAt = Number.POSITIVE_INFINITY;
      const state = SteerState.load(here, ABOUT);
      const report = undoAbandoned(state, nic);
      expect([point, nic.snapshot(), report.incomplete]).toEqual([point, before, false]);
      expect(here.names()).toEqual([]);
    }
  });

  it('is undone when undoing was killed as well', () => {
    for (const point of [1, 1.5, 2, 2.5, 3, 3.5]) {
      const nic = new FakeNic(RULES);
      const before = nic.snapshot();
      const folder = freshFolder();
      perform(nic, SteerState.load(folder, ABOUT), plan(nic, udp, 1, ['rule']).candidates[0]!);
      nic.writes = 0;
      nic.killAt = point;
      expect(() => undoAbandoned(SteerState.load(folder, ABOUT), nic)).toThrow(Killed);
      nic.killAt = Number.POSITIVE_INFINITY;
      undoAbandoned(SteerState.load(folder, ABOUT), nic);
      expect(nic.snapshot()).toBe(before);
    }
  });

  it('on top of another is undone first, and the older one gives back what was before both', () => {
    const nic = new FakeNic(TABLE_ONLY);
    const before = nic.snapshot();
    const state = SteerState.load(freshFolder(), ABOUT);
    perform(nic, state, plan(nic, udp, 1, ['table']).candidates[0]!, { phase: 'kept' });
    const between = nic.snapshot();
    perform(nic, state, plan(nic, udp, 0, ['table']).candidates[0]!, { phase: 'kept' });
    expect(undoWhile(state, nic, (_, undone) => undone === 0)).toMatchObject({
      undone: 1,
      incomplete: false,
    });
    expect(nic.snapshot()).toBe(between);
    undoWhile(state, nic, () => true);
    expect(nic.snapshot()).toBe(before);
  });

  it('that ended below a newer one waits for it', () => {
    const nic = new FakeNic(TABLE_ONLY);
    const before = nic.snapshot();
    const state = SteerState.load(freshFolder(), ABOUT);
    const alive = { owner: thisProcess() };
    perform(nic, state, plan(nic, udp, 1, ['table']).candidates[0]!, alive);
    perform(nic, state, plan(nic, udp, 0, ['table']).candidates[0]!, alive);
    state.steerings[0]!.ended = true;
    expect(undoAbandoned(state, nic).undone).toBe(0);
    state.steerings[1]!.ended = true;
    expect(undoAbandoned(state, nic).undone).toBe(2);
    expect(nic.snapshot()).toBe(before);
  });

  it('leaves alone what somebody else changed since, and says so', () => {
    const nic = new FakeNic(RULES);
    const state = SteerState.load(freshFolder(), ABOUT);
    perform(nic, state, plan(nic, udp, 1, ['rule']).candidates[0]!);
    nic.insertRule(encodeRule(parseFlowExpression('arp'), 0, 3));
    const report = undoAbandoned(state, nic);
    expect(report.incomplete).toBe(true);
    expect(report.lines.join('\n')).toMatch(/left: n-tuple rules stay on: there are rules of others/);
    expect([...nic.rulesByLocation.keys()]).toEqual([3]);
    expect(state.steerings).toEqual([]);

    const other = new FakeNic(TABLE_ONLY);
    const second = SteerState.load(freshFolder(), ABOUT);
    perform(other, second, plan(other, udp, 1, ['table']).candidates[0]!);
    other.table = [0, 0, 0, 0, 0, 0, 0, 1];
    const told = undoAbandoned(second, other);
    expect(told.lines.join('\n')).toMatch(/left: the RSS table was changed by somebody else since/);
    expect(other.table).toEqual([0, 0, 0, 0, 0, 0, 0, 1]);
  });

  it('does not delete another rule that took its place', () => {
    const nic = new FakeNic({ ...RULES, ntuple: { on: true, changeable: true } });
    const state = SteerState.load(freshFolder(), ABOUT);
    perform(nic, state, plan(nic, parseFlowExpression('arp'), 1, ['rule']).candidates[0]!);
    nic.rulesByLocation.set(7, encodeRule(parseFlowExpression('ip'), 0, 7));
    const report = undoAbandoned(state, nic);
    expect(report.lines.join('\n')).toMatch(/the rule at location 7 is another one now and stays/);
    expect(nic.rulesByLocation.size).toBe(1);
  });

  it('that the driver refuses to undo stays written down', () => {
    const nic = new FakeNic(TABLE_ONLY);
    const state = SteerState.load(freshFolder(), ABOUT);
    perform(nic, state, plan(nic, udp, 1, ['table']).candidates[0]!);
    nic.setTable = () => 'setting the RSS table: busy';
    const report = undoAbandoned(state, nic);
    expect(report).toMatchObject({ undone: 0, incomplete: true });
    expect(report.lines).toContain('  failed: setting the RSS table: busy');
    expect(state.steerings[0]?.steps.length).toBe(1);
  });

  it('is refused where reading back shows another table', () => {
    const nic = new FakeNic(TABLE_ONLY);
    nic.setTable = () => undefined;
    const state = SteerState.load(freshFolder(), ABOUT);
    expect(perform(nic, state, plan(nic, udp, 1, ['table']).candidates[0]!)).toEqual([
      'RSS table: accepted, but it reads otherwise',
    ]);
  });
});

describe('what is written down', () => {
  it('is abandoned when its process has gone, and not while it lives or when it is to be kept', () => {
    const mine = thisProcess();
    expect(abandoned(steering())).toBe(true);
    expect(abandoned(steering({ owner: mine }))).toBe(false);
    expect(abandoned(steering({ owner: { ...mine, started: mine.started + 1 } }))).toBe(true);
    expect(abandoned(steering({ owner: mine, ended: true }))).toBe(true);
    expect(abandoned(steering({ phase: 'kept' }))).toBe(false);
  });

  it('is forgotten for another device with the same number', () => {
    const folder = freshFolder();
    const state = SteerState.load(folder, ABOUT);
    state.steerings.push(steering());
    state.save();
    expect(SteerState.load(folder, ABOUT).steerings.length).toBe(1);
    expect(SteerState.load(folder, { ...ABOUT, bus: '0000:00:04.0' }).steerings).toEqual([]);
    expect(SteerState.load(folder, { ...ABOUT, netns: 5 }).steerings).toEqual([]);
  });

  it('that is no state of ours is an error that names the file', () => {
    const folder = freshFolder();
    const state = SteerState.load(folder, ABOUT);
    state.steerings.push(steering());
    state.save();
    const path = join(folder.path, state.file);
    expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({ version: 1, interface: ABOUT });
    for (const text of ['', 'null', '{}', '{"version":2,"steerings":[]}']) {
      writeFileSync(path, text);
      expect(() => SteerState.load(folder, ABOUT)).toThrow(RxError);
      expect(() => SteerState.load(folder, ABOUT)).toThrow(path);
    }
  });

  it('is changed by one process at a time', async () => {
    const folder = freshFolder();
    const order: string[] = [];
    let leave = (): void => {};
    // Without a wait before it, the first has the lock when this returns.
    const slow = folder.locked(async () => {
      order.push('first in');
      await new Promise<void>((resolve) => (leave = resolve));
      order.push('first out');
    });
    expect(order).toEqual(['first in']);
    const second = folder.locked(() => order.push('second'));
    await new Promise((resolve) => setTimeout(resolve, 150));
    leave();
    await Promise.all([slow, second]);
    expect(order).toEqual(['first in', 'first out', 'second']);
  });
});
