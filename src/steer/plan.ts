/**
 * How a set of flows can be sent to a queue on this NIC: candidates, the narrowest first, each as steps that say what
 * was before and what will be. Pure; whether a driver accepts a step shows when it is done.
 */
import { type Answer, known, unknown } from '../base/answer.js';
import type { Feature, Rss, RuleList } from '../sys/nic-settings.js';
import { type FlowSpec, expand, overlaps } from './flow-spec.js';
import { ADDRESSES_AND_PORTS, hashedType } from './hash-fields.js';
import {
  ANY_LOCATION,
  type DecodedRule,
  decodeRule,
  encodeRule,
  locationOf,
  ruleText,
  sameRule,
} from './rules.js';
import { whichQueue } from './which.js';

/** One change. Everything that undoing it needs is in it, so that it can be written down before it is made. */
export type Step =
  | { readonly kind: 'ntuple'; readonly before: boolean; readonly after: boolean }
  | {
      readonly kind: 'rule';
      /** The rule in hexadecimal, with the location asked for. */
      readonly rule: string;
      /** Locations that were taken before. */
      readonly others: readonly number[];
      /** Where it is; null until the driver has said so. */
      location: number | null;
      /** The rule as the driver gave it back, in hexadecimal; null until then. */
      readBack: string | null;
    }
  | { readonly kind: 'fields'; readonly flowType: number; readonly before: number; readonly after: number }
  | { readonly kind: 'table'; readonly before: readonly number[]; readonly after: readonly number[] };

/** The ways, the narrowest first. */
export const WAYS = ['rule', 'slot', 'table'] as const;
export type Way = (typeof WAYS)[number];

/** One way to do it. */
export interface Candidate {
  readonly way: Way;
  /** Nothing to do when empty: it is so already. */
  readonly steps: readonly Step[];
  /** What else moves, as a sentence; undefined when nothing does. */
  readonly moves: string | undefined;
}

/** What a NIC says of itself before anything is changed. */
export interface SteerFacts {
  readonly rxQueues: number;
  readonly rings: Answer<number>;
  readonly ntuple: Answer<Feature>;
  readonly rules: Answer<RuleList>;
  readonly rss: Answer<Rss>;
  readonly fields: (flowType: number) => Answer<number>;
  /** The NIC's own hash of the flow, as seen on its packets: learn.ts. */
  readonly flowHash: Answer<number>;
}

/** The ways that can be tried, and why the others cannot. */
export interface SteerPlan {
  readonly candidates: readonly Candidate[];
  readonly reasons: readonly { readonly way: Way; readonly why: string }[];
}

/** Decides what to try. */
export function planSteering(
  spec: FlowSpec,
  queue: number,
  facts: SteerFacts,
  ways: readonly Way[],
): SteerPlan {
  const makers = { rule: planRules, slot: planSlot, table: planTable };
  const candidates: Candidate[] = [];
  const reasons: { way: Way; why: string }[] = [];
  for (const way of ways) {
    const made = makers[way](spec, queue, facts);
    if (typeof made === 'string') reasons.push({ way, why: made });
    else candidates.push(made);
  }
  return { candidates, reasons };
}

const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** Rules that take packets of the set to somewhere else. */
function rivals(spec: FlowSpec, queue: number, rules: readonly DecodedRule[]): DecodedRule[] {
  return rules.filter(
    ({ spec: theirs, action }) =>
      overlaps(theirs, spec) && !(action.kind === 'queue' && action.vf === 0 && action.queue === queue),
  );
}

function planRules(spec: FlowSpec, queue: number, facts: SteerFacts): Candidate | string {
  const { ntuple, rules } = facts;
  if (!rules.known) return rules.why;
  if (!rules.value.picksLocation && rules.value.size === 0)
    return 'n-tuple rules: the driver has no place for any';
  const decoded = rules.value.rules.map(decodeRule);
  const taken = new Set(decoded.map((rule) => rule.location));
  const steps: Step[] = [];
  // Off and fixed is no refusal yet: some drivers take rules without the flag. The others refuse the rule itself.
  if (ntuple.known && !ntuple.value.on && ntuple.value.changeable) {
    steps.push({ kind: 'ntuple', before: false, after: true });
  }
  for (const one of expand(spec)) {
    const wanted = encodeRule(one, queue);
    const before = rivals(one, queue, decoded);
    // Rules are looked at from location 0 on: ours must come before those that would take its packets.
    const limit = Math.min(...before.map((rule) => rule.location), rules.value.size);
    const present = rules.value.rules.some((rule) => sameRule(rule, wanted) && locationOf(rule) < limit);
    if (present && before.length === 0) continue;
    let location = ANY_LOCATION;
    if (!rules.value.picksLocation) {
      location = limit - 1;
      while (location >= 0 && taken.has(location)) location--;
      if (location < 0) {
        const [rival] = before;
        return rival === undefined
          ? `all ${rules.value.size} locations for rules are taken`
          : `no free location before ${ruleText(rival)}, which takes these packets`;
      }
    }
    steps.push({
      kind: 'rule',
      rule: toHex(encodeRule(one, queue, location)),
      others: [...taken].sort((a, b) => a - b),
      location: null,
      readBack: null,
    });
    if (location !== ANY_LOCATION) taken.add(location);
  }
  return { way: 'rule', steps: steps.some((step) => step.kind === 'rule') ? steps : [], moves: undefined };
}

/** What a change of the table needs, whichever entries change. */
function tableBefore(spec: FlowSpec, queue: number, facts: SteerFacts): readonly number[] | string {
  const { rss, rings, rules } = facts;
  if (!rss.known) return rss.why;
  if (rss.value.table.length === 0) return 'RSS table: the driver does not give one';
  if (rings.known && queue >= rings.value)
    return `RSS table: hashing uses queues 0 to ${rings.value - 1} only`;
  const [rival] = rules.known ? rivals(spec, queue, rules.value.rules.map(decodeRule)) : [];
  if (rival !== undefined)
    return `RSS table: ${ruleText(rival)} takes packets of it before the table is asked`;
  return rss.value.table;
}

function planTable(spec: FlowSpec, queue: number, facts: SteerFacts): Candidate | string {
  const before = tableBefore(spec, queue, facts);
  if (typeof before === 'string') return before;
  const after = before.map(() => queue);
  const same = before.every((one) => one === queue);
  return {
    way: 'table',
    steps: same ? [] : [{ kind: 'table', before, after }],
    moves: 'all flows that the NIC hashes move to this queue, not only the one asked for',
  };
}

/** One exact flow: only the entry of the table that it hashes to. */
function planSlot(spec: FlowSpec, queue: number, facts: SteerFacts): Candidate | string {
  const { source, destination, sourcePort, destinationPort, protocol } = spec;
  const full = (field: FlowSpec['source']): boolean =>
    field !== undefined && (field.mask === 0xffff_ffffn || field.mask === (1n << 128n) - 1n);
  const ports = sourcePort !== undefined && destinationPort !== undefined;
  if (protocol === undefined || !full(source) || !full(destination)) {
    return 'one entry of the RSS table: only for one flow with protocol, both addresses and both ports';
  }
  if (!ports && (protocol === 6 || protocol === 17 || protocol === 132)) {
    return 'one entry of the RSS table: only for one flow with protocol, both addresses and both ports';
  }
  const before = tableBefore(spec, queue, facts);
  if (typeof before === 'string') return before;
  const computed = computeSlot(spec, ports, before, facts);
  if (!computed.known && !facts.flowHash.known) {
    return `one entry of the RSS table: ${computed.why}, and ${facts.flowHash.why}`;
  }
  const { slot, steps } = computed.known
    ? computed.value
    : { slot: ((facts.flowHash as { value: number }).value & (before.length - 1)) >>> 0, steps: [] };
  if (before[slot] !== queue) {
    steps.push({ kind: 'table', before, after: before.map((one, i) => (i === slot ? queue : one)) });
  }
  const others = `flows that share entry ${slot} of ${before.length} move with it`;
  const learned = computed.known ? '' : ` (entry by the NIC's own hash of its packets: ${computed.why})`;
  const rehashed = steps.some((step) => step.kind === 'fields')
    ? `; flows of its protocol are hashed by ports too from now on and may change their queue`
    : '';
  return { way: 'slot', steps, moves: `${others}${rehashed}${learned}` };
}

/** The entry that a flow hashes to, with the steps that make its ports count. */
function computeSlot(
  spec: FlowSpec,
  ports: boolean,
  table: readonly number[],
  facts: SteerFacts,
): Answer<{ readonly slot: number; readonly steps: Step[] }> {
  const flowType = hashedType(spec);
  const fields = facts.fields(flowType);
  const steps: Step[] = [];
  let hashed = fields;
  if (ports && fields.known && fields.value !== ADDRESSES_AND_PORTS) {
    steps.push({ kind: 'fields', flowType, before: fields.value, after: ADDRESSES_AND_PORTS });
    hashed = known(ADDRESSES_AND_PORTS);
  }
  const noRules = known({ size: 0, picksLocation: false, rules: [] });
  // A table with all entries different, so that the entry is computed even where the real one needs no hash.
  const rss = facts.rss.known
    ? known({ ...facts.rss.value, table: table.map((_, slot) => slot) })
    : facts.rss;
  const answer = whichQueue(spec, { rxQueues: facts.rxQueues, rules: noRules, rss, fields: hashed });
  if (answer.kind === 'queue' && answer.slot !== undefined) return known({ slot: answer.slot, steps });
  return unknown(answer.kind === 'unknown' ? answer.why : 'the table has one entry');
}
