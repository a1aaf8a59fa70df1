/**
 * To which queue a flow goes, from what the NIC says of itself: rules first, then the hash and its table. Every answer
 * has its ground; where the NIC keeps back what is needed, the answer is that it cannot be told. Pure.
 */
import type { Answer } from '../base/answer.js';
import type { Rss, RuleList } from '../sys/nic-settings.js';
import { type FlowSpec, addressBits, overlaps, toBytes } from './flow-spec.js';
import { ADDRESSES, ADDRESSES_AND_PORTS, HASH_FUNCTIONS, fieldsText } from './hash-fields.js';
import { type DecodedRule, actionText, decodeRule, ruleText } from './rules.js';
import { keyBytesFor, toeplitz } from './toeplitz.js';

/** What must be known to tell. */
export interface QueueFacts {
  readonly rxQueues: number;
  readonly rules: Answer<RuleList>;
  readonly rss: Answer<Rss>;
  /** Fields that the hash covers for this flow. */
  readonly fields: Answer<number>;
}

/** The answer, with what it stands on. */
export type WhichQueue =
  | { readonly kind: 'queue'; readonly queue: number; readonly ground: string; readonly slot?: number }
  | { readonly kind: 'elsewhere'; readonly words: string; readonly ground: string }
  | { readonly kind: 'unknown'; readonly why: string };

const TOEPLITZ = 1;
const SYMMETRIC_XOR = 1;

const unknown = (why: string): WhichQueue => ({ kind: 'unknown', why });

/** The rule that takes an exact flow; `unsure` where a rule may take it that cannot be read in full. */
function ruleFor(
  spec: FlowSpec,
  rules: readonly DecodedRule[],
): { rule: DecodedRule; sure: boolean } | undefined {
  for (const rule of [...rules].sort((a, b) => a.location - b.location)) {
    if (rule.spec.vlan !== undefined && spec.vlan === undefined) continue;
    if (overlaps(rule.spec, spec)) return { rule, sure: !rule.more };
  }
  return undefined;
}

/** The queue of an exact flow. */
export function whichQueue(spec: FlowSpec, facts: QueueFacts): WhichQueue {
  if (facts.rxQueues === 1) return { kind: 'queue', queue: 0, ground: 'it is the only receive queue' };
  const taken = facts.rules.known ? ruleFor(spec, facts.rules.value.rules.map(decodeRule)) : undefined;
  if (taken !== undefined) {
    const { action } = taken.rule;
    const words = ruleText(taken.rule);
    if (!taken.sure)
      return unknown(`${words} may take it, and also looks at fields that a flow does not tell`);
    return action.kind === 'queue' && action.vf === 0
      ? { kind: 'queue', queue: action.queue, ground: words }
      : { kind: 'elsewhere', words: actionText(action), ground: words };
  }
  if (!facts.rss.known) return unknown(facts.rss.why);
  return byHash(spec, facts.rss.value, facts.fields);
}

function byHash(spec: FlowSpec, rss: Rss, fields: Answer<number>): WhichQueue {
  const { table, key, hashFunction, transform } = rss;
  const first = table[0];
  if (first === undefined) return unknown('the driver does not give its RSS table');
  if (table.every((queue) => queue === first)) {
    return {
      kind: 'queue',
      queue: first,
      ground: `all ${table.length} entries of the RSS table are queue ${first}`,
    };
  }
  if (key.length === 0)
    return unknown('the driver does not give its hash key, so the hash cannot be computed');
  if (key.every((byte) => byte === 0))
    return unknown('the driver gives a hash key of zeros, which is not the real one');
  if (hashFunction !== TOEPLITZ) {
    return unknown(
      `the hash function is ${HASH_FUNCTIONS[hashFunction] ?? `number ${hashFunction}`}, not Toeplitz`,
    );
  }
  if (!Number.isInteger(Math.log2(table.length))) {
    return unknown(
      `how a hash finds its entry among ${table.length} is the driver's own (not a power of two)`,
    );
  }
  if (!fields.known) return unknown(`which fields are hashed is not told: ${fields.why}`);
  const input = hashInput(spec, fields.value, transform);
  if (typeof input === 'string') return unknown(input);
  if (keyBytesFor(input) > key.length) return unknown(`the hash key has only ${key.length} bytes`);
  const hash = toeplitz(key, input);
  const slot = hash & (table.length - 1);
  const queue = table[slot] ?? first;
  const hex = `0x${hash.toString(16).padStart(8, '0')}`;
  const ground = `Toeplitz hash ${hex} of ${fieldsText(fields.value)}${transform === 0 ? '' : ', symmetric by XOR'}, entry ${slot} of ${table.length} in the RSS table`;
  return { kind: 'queue', queue, ground, slot };
}

/** The bytes that are hashed, or why they are not known. */
function hashInput(spec: FlowSpec, fields: number, transform: number): Uint8Array | string {
  const { family, source, destination, sourcePort, destinationPort } = spec;
  if (family === undefined || source === undefined || destination === undefined) return 'it is no IP flow';
  if (transform !== 0 && transform !== SYMMETRIC_XOR) {
    return `the hash's input is transformed in a way that rxstamp does not know (${transform})`;
  }
  const ports = sourcePort !== undefined && destinationPort !== undefined;
  // Without ports there is nothing that their bits could add.
  const wanted = ports ? fields : fields & ADDRESSES;
  if (wanted !== ADDRESSES && wanted !== ADDRESSES_AND_PORTS) {
    return `the hash covers ${fieldsText(fields)}, a set whose order is the driver's own`;
  }
  const bytes = addressBits(family) / 8;
  const pair = (a: bigint, b: bigint, length: number): Uint8Array[] => {
    const both = a ^ b;
    return transform === SYMMETRIC_XOR
      ? [toBytes(both, length), toBytes(both, length)]
      : [toBytes(a, length), toBytes(b, length)];
  };
  const parts = pair(source.value, destination.value, bytes);
  if (wanted === ADDRESSES_AND_PORTS && ports)
    parts.push(...pair(sourcePort.value, destinationPort.value, 2));
  return Uint8Array.from(parts.flatMap((part) => Array.from(part)));
}
