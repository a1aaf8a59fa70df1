import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { type ArrivalFacts, type IrqFacts, RULE, RULES, SLACK_NS } from '../../src/packet/arrival.js';
import { packageRoot } from '../../src/sys/package.js';
import type { MachinePlan } from './machine.js';
import { type Bend, type Results, runSeeds, tableOf } from './run.js';
import type { TracerFault } from './tracer.js';

const SEEDS = 1000;
const PACKETS = 1000;
/** Seeds of a run that must only show that something is noticed. */
const FEW = 200;
const LIMIT = 120_000;

/** A NIC whose interrupts can be trusted, on a kernel that shows everything: only the races are left. */
const quiet =
  (change: Partial<MachinePlan> = {}) =>
  (plan: MachinePlan): MachinePlan => ({
    ...plan,
    hooks: { entry: true, prep: true, start: true },
    vectors: plan.vectors.map((vector) => ({ ...vector, rings: 1, transmitNs: 0 })),
    masking: 'mask',
    handover: 'at-once',
    moderationKnown: true,
    watchdogNs: 0,
    affinityChanges: false,
    invisible: 0,
    lost: 0,
    busyPollEveryNs: 0,
    movesAffinity: false,
    ...change,
  });

const told =
  (change: Partial<IrqFacts>) =>
  (facts: ArrivalFacts): ArrivalFacts => ({
    ...facts,
    irqs: new Map([...facts.irqs].map(([irq, known]) => [irq, { ...known, ...change }])),
  });

const outside = (results: Results): [number, number] => [results.sum('early'), results.sum('late')];

describe(`a million packets of ${SEEDS} machines whose truth is known`, () => {
  let results: Results;
  beforeAll(() => {
    results = runSeeds(1, SEEDS, PACKETS);
    process.stdout.write(`${tableOf(results)}\n`);
  }, LIMIT);

  it('arrived within their bounds, every one, and not before never goes back', () => {
    expect(results.packets).toBeGreaterThanOrEqual(1_000_000);
    expect(results.examples).toEqual([]);
    expect([...outside(results), results.backwards]).toEqual([0, 0, 0]);
  });

  it('have the right class, always where certain, 99 in 100 where probable', () => {
    expect(results.wrongShare(true)).toBe(0);
    expect(results.wrongShare(false)).toBeLessThan(0.01);
    const certain = results.sum('packets', (rule) => RULES[rule]!.certain);
    expect(certain).toBeGreaterThan(results.packets / 2);
  });

  it('come by every rule but those of an interface or a method without interrupts, and few are unknown', () => {
    const rare = Object.entries(RULE).filter(([, rule]) => results.rules[rule]!.packets < 100);
    expect(rare.map(([name]) => name)).toEqual(['noIrq', 'packetOnly']);
    const unknown = results.sum('packets', (rule) => RULES[rule]!.how === RULES[RULE.cut]!.how);
    expect(unknown / results.packets).toBeLessThan(0.05);
  });

  it('give the table of docs/arrival.md', () => {
    const file = join(packageRoot, 'docs/arrival.md');
    const text = readFileSync(file, 'utf8');
    const [before = '', rest = ''] = text.split('<!-- model -->\n');
    const [, after = ''] = rest.split('<!-- /model -->');
    const current = `${before}<!-- model -->\n${tableOf(results)}\n<!-- /model -->${after}`;
    if (process.env['RXSTAMP_WRITE_DOCS'] === '1') writeFileSync(file, current);
    expect(readFileSync(file, 'utf8'), 'RXSTAMP_WRITE_DOCS=1 npx vitest run test/model').toBe(current);
  });
});

describe('machines on which only the races are left', () => {
  const machines: readonly [string, Bend['plan']][] = [
    ['whose interrupts are masked as they are sent', quiet()],
    ['whose handler masks them', quiet({ masking: 'isr-mask' })],
    ['whose interrupts are armed', quiet({ masking: 'armed' })],
    ['with virtio’s event index', quiet({ masking: 'event-index' })],
    [
      'that busy-poll, and see ends of polls late',
      quiet({ cpus: 3, busyPollEveryNs: 300_000, lateEnds: 0.5 }),
    ],
    ['whose interrupts move, with ends seen late', quiet({ cpus: 3, movesAffinity: true, lateEnds: 0.5 })],
    ['that poll in threads', quiet({ cpus: 3, threaded: true, movesAffinity: true })],
    ['that drop packets below the stack', quiet({ invisible: 0.3 })],
    ['of a restricted kernel', quiet({ hooks: { entry: false, prep: false, start: false } })],
  ];
  it.each(machines)(
    '%s: own interrupts are certain, and right',
    (_, plan) => {
      const results = runSeeds(1, FEW, PACKETS, { plan: plan! });
      expect(results.examples).toEqual([]);
      expect([results.violations, results.wrongShare(true)]).toEqual([0, 0]);
      expect(results.rules[RULE.own]!.packets).toBeGreaterThan(1000);
    },
    LIMIT,
  );
});

describe('the model notices', () => {
  const faults: readonly [string, TracerFault, Bend['plan']?][] = [
    ['packets of a list taken for packets that came one by one', 'lists-as-single'],
    ['two queues behind one NAPI instance taken for one', 'queues-as-one'],
    ['a driver that does not look again behind each packet', 'any-handover'],
    ['budget - 1 taken for an empty queue', 'whole-budget'],
    [
      'polls whose end is seen behind the next one’s',
      'overlaps-unseen',
      quiet({ cpus: 3, movesAffinity: true, lateEnds: 0.5 }),
    ],
    ['packets that were taken and not handed over', 'invisible-unseen', quiet({ invisible: 0.3 })],
  ];
  it.each(faults)(
    '%s',
    (_, fault, plan) => {
      const results = runSeeds(1, FEW, PACKETS, { fault, ...(plan === undefined ? {} : { plan }) });
      expect(results.violations).toBeGreaterThan(0);
    },
    LIMIT,
  );

  const lies: readonly [string, Partial<IrqFacts>, Bend['plan']?][] = [
    ['leftover causes, without moderation and slack', { moderationNs: -SLACK_NS - 1e9 }],
    ['transmit completions on a vector that is told to receive only', { receiveOnly: true }],
    ['interrupts that the driver raises itself', { selfRaised: false }],
    [
      'moderation that is longer than told',
      { moderationNs: 0 },
      quiet({ moderationNs: 2_000_000, throttle: 'delay', adaptive: false }),
    ],
  ];
  it.each(lies)(
    '%s',
    (_, change, plan) => {
      const results = runSeeds(1, SEEDS / 2, PACKETS, {
        facts: told(change),
        ...(plan === undefined ? {} : { plan }),
      });
      expect(results.sum('late', (rule) => rule === RULE.own)).toBeGreaterThan(0);
      expect(results.violations).toBe(results.sum('late', (rule) => rule === RULE.own));
    },
    LIMIT,
  );

  it(
    'interrupts off for longer than the slack: then, and only then, a certain own interrupt can be wrong',
    () => {
      const plan = quiet({ cpus: 3, threaded: true, irqsOffNs: 4 * SLACK_NS, irqsOffEveryNs: 2_000_000 });
      const results = runSeeds(1, SEEDS, PACKETS, { plan });
      const own = results.rules[RULE.own]!;
      expect(own.late).toBeGreaterThan(0);
      expect(own.late / own.packets).toBeLessThan(0.01);
      expect(results.violations).toBe(own.late);
    },
    LIMIT,
  );
});
