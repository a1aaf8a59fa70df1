/** Does the steps of a plan and undoes them. What is about to be changed is remembered before it is changed. */
import type { NicSettings } from '../sys/nic-settings.js';
import type { Step } from './plan.js';
import { locationOf, sameRule } from './rules.js';

const bytesOf = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'));
const equal = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((value, i) => value === b[i]);

/** How undoing a step went. `foreign`: somebody else changed the same since, so it was left alone. */
export interface Undone {
  readonly result: 'done' | 'foreign' | 'failed';
  readonly note: string | undefined;
}

const DONE: Undone = { result: 'done', note: undefined };
const foreign = (note: string): Undone => ({ result: 'foreign', note });
const failed = (note: string): Undone => ({ result: 'failed', note });

/**
 * Does one step and reads it back.
 * @param remember called when the step has learned something that undoing it needs
 * @returns the driver's reason, or undefined when the change is there to be read
 */
export function doStep(nic: NicSettings, step: Step, remember: () => void): string | undefined {
  switch (step.kind) {
    case 'ntuple': {
      const refused = nic.setNtuple(step.after);
      if (refused !== undefined) return refused;
      const now = nic.ntuple();
      return now.known && now.value.on === step.after
        ? undefined
        : 'n-tuple rules: accepted, but they stay off';
    }
    case 'rule': {
      const inserted = nic.insertRule(bytesOf(step.rule));
      if (!inserted.known) return inserted.why;
      step.location = inserted.value;
      remember();
      const rules = nic.rules();
      const found = rules.known
        ? rules.value.rules.find((rule) => locationOf(rule) === inserted.value)
        : undefined;
      if (found === undefined)
        return `n-tuple rule: accepted, but there is none at location ${inserted.value}`;
      step.readBack = Buffer.from(found).toString('hex');
      remember();
      return undefined;
    }
    case 'fields': {
      const refused = nic.setHashFields(step.flowType, step.after);
      if (refused !== undefined) return refused;
      const now = nic.hashFields(step.flowType);
      return now.known && now.value === step.after
        ? undefined
        : 'hash fields: accepted, but they read as before';
    }
    case 'table': {
      const refused = nic.setTable(step.after);
      if (refused !== undefined) return refused;
      const now = nic.rss();
      return now.known && equal(now.value.table, step.after)
        ? undefined
        : 'RSS table: accepted, but it reads otherwise';
    }
  }
}

/** Undoes one step, whether it was done or only about to be. */
function undoStep(nic: NicSettings, step: Step): Undone {
  switch (step.kind) {
    case 'ntuple':
      return undoNtuple(nic, step);
    case 'rule':
      return undoRule(nic, step);
    case 'fields':
      return undoFields(nic, step);
    case 'table':
      return undoTable(nic, step);
  }
}

type Of<Kind extends Step['kind']> = Extract<Step, { kind: Kind }>;

function undoNtuple(nic: NicSettings, step: Of<'ntuple'>): Undone {
  const now = nic.ntuple();
  if (!now.known) return failed(now.why);
  if (now.value.on === step.before) return DONE;
  const rules = nic.rules();
  if (!step.before && rules.known && rules.value.rules.length > 0) {
    return foreign(
      'n-tuple rules stay on: there are rules of others now, which switching them off would delete (ethtool -n)',
    );
  }
  const refused = nic.setNtuple(step.before);
  return refused === undefined ? DONE : failed(refused);
}

function undoRule(nic: NicSettings, step: Of<'rule'>): Undone {
  const rules = nic.rules();
  if (!rules.known) return failed(rules.why);
  const asked = bytesOf(step.rule);
  const placed = rules.value.rules.filter((rule) => locationOf(rule) === step.location);
  const mine = (rule: Uint8Array): boolean =>
    sameRule(rule, asked) || (step.readBack !== null && sameRule(rule, bytesOf(step.readBack)));
  // Not known where it is: the process ended between asking for it and hearing of it.
  const candidates =
    step.location === null
      ? rules.value.rules.filter((rule) => !step.others.includes(locationOf(rule)) && mine(rule))
      : placed.filter(mine);
  for (const rule of candidates) {
    const refused = nic.deleteRule(locationOf(rule));
    if (refused !== undefined) return failed(refused);
  }
  const other = placed.length > 0 && candidates.length === 0;
  return other ? foreign(`the rule at location ${step.location} is another one now and stays`) : DONE;
}

function undoFields(nic: NicSettings, step: Of<'fields'>): Undone {
  const now = nic.hashFields(step.flowType);
  if (!now.known) return failed(now.why);
  if (now.value === step.before) return DONE;
  if (now.value !== step.after)
    return foreign('the hash fields were changed by somebody else since and stay');
  const refused = nic.setHashFields(step.flowType, step.before);
  return refused === undefined ? DONE : failed(refused);
}

function undoTable(nic: NicSettings, step: Of<'table'>): Undone {
  const now = nic.rss();
  if (!now.known) return failed(now.why);
  const { table } = now.value;
  if (equal(table, step.before)) return DONE;
  if (!equal(table, step.after)) return foreign('the RSS table was changed by somebody else since and stays');
  const rings = nic.rings();
  const count = rings.known ? rings.value : 0;
  // The default is given back as the default: the kernel remembers that a table was set, and keeps such a one when the
  // number of queues changes (netif_is_rxfh_configured).
  if (
    count > 0 &&
    equal(
      step.before,
      step.before.map((_, i) => i % count),
    ) &&
    nic.setTable([]) === undefined
  ) {
    const after = nic.rss();
    if (after.known && equal(after.value.table, step.before)) return DONE;
  }
  const refused = nic.setTable(step.before);
  if (refused !== undefined) return failed(refused);
  const after = nic.rss();
  return after.known && equal(after.value.table, step.before)
    ? DONE
    : failed('the RSS table does not read as before');
}

/** Undoes steps, the last one first. Those that failed are left in `steps`; returns what to tell. */
export function undoSteps(nic: NicSettings, steps: Step[]): Undone[] {
  const results: Undone[] = [];
  const left: Step[] = [];
  for (const step of [...steps].reverse()) {
    // The rules that they would be on for are ours: others' are only what is left when ours are gone.
    const undone =
      step.kind === 'ntuple' && left.some(({ kind }) => kind === 'rule')
        ? failed('n-tuple rules stay on until the rule is deleted')
        : undoStep(nic, step);
    results.push(undone);
    if (undone.result === 'failed') left.unshift(step);
  }
  steps.splice(0, steps.length, ...left);
  return results;
}
