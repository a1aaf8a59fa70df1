/** A set of flows as an n-tuple rule can say it: every field is given or free, and all that are given must match. */
import { RxError } from '../base/errors.js';
import { ipv4Text, ipv6Text, parseAddress } from '../packet/address.js';
import type { Flow } from '../packet/flow.js';

/** A field and which of its bits count. */
export interface Match {
  readonly value: bigint;
  readonly mask: bigint;
}

/** A set of flows. Fields that are absent are free. */
export interface FlowSpec {
  readonly vlan?: number;
  readonly ethertype?: number;
  readonly family?: 4 | 6;
  /** IP protocol number. */
  readonly protocol?: number;
  readonly source?: Match;
  readonly destination?: Match;
  readonly sourcePort?: Match;
  readonly destinationPort?: Match;
}

/** IP protocols whose ports a rule can name. */
export const TRANSPORTS = { tcp: 6, udp: 17, sctp: 132 } as const;

export const IPV4 = 0x0800;
export const IPV6 = 0x86dd;

/** What a flow that cannot be read is answered with. */
export function unreadable(text: string, why: string, hint: string): RxError {
  return new RxError('RXS_FLOW', { doing: 'reading the flow', subject: JSON.stringify(text), why, hint });
}

/** All bits of a field. */
export const ones = (bits: number): bigint => (1n << BigInt(bits)) - 1n;

/** Bits of an address. */
export const addressBits = (family: 4 | 6): number => (family === 4 ? 32 : 128);

/** An integer of network-order bytes. */
export function toBigint(bytes: Uint8Array): bigint {
  return bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}

/** The network-order bytes of an integer. */
export function toBytes(value: bigint, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => Number((value >> BigInt(8 * (length - 1 - i))) & 0xffn));
}

const fits = (match: Match | undefined, value: bigint): boolean =>
  match === undefined || (value & match.mask) === (match.value & match.mask);

/** Address text of a flow as an integer. */
function addressOf(text: string | undefined): bigint | undefined {
  const bytes = text === undefined ? undefined : parseAddress(text);
  return bytes === undefined ? undefined : toBigint(bytes);
}

/** Whether a packet's flow is in the set; undefined where its headers do not tell (fragments, cut headers). */
export function matches(spec: FlowSpec, flow: Flow): boolean | undefined {
  if (spec.vlan !== undefined && flow.vlan !== spec.vlan) return false;
  if (spec.ethertype !== undefined && flow.ethertype !== spec.ethertype) return false;
  if (spec.family !== undefined && flow.family !== (spec.family === 4 ? 'IPv4' : 'IPv6')) return false;
  const needed: [Match | undefined, bigint | undefined][] = [
    [
      spec.protocol === undefined ? undefined : { value: BigInt(spec.protocol), mask: 0xffn },
      flow.protocol === undefined ? undefined : BigInt(flow.protocol),
    ],
    [spec.source, addressOf(flow.source)],
    [spec.destination, addressOf(flow.destination)],
    [spec.sourcePort, flow.sourcePort === undefined ? undefined : BigInt(flow.sourcePort)],
    [spec.destinationPort, flow.destinationPort === undefined ? undefined : BigInt(flow.destinationPort)],
  ];
  let told = true;
  for (const [match, value] of needed) {
    if (match === undefined) continue;
    if (value === undefined) told = false;
    else if (!fits(match, value)) return false;
  }
  if (told) return true;
  // Without ports because it is no packet with ports, or because they are not in what was captured.
  return flow.fragment || flow.truncated ? undefined : false;
}

const meet = (a: Match | undefined, b: Match | undefined): boolean => {
  if (a === undefined || b === undefined) return true;
  const both = a.mask & b.mask;
  return (a.value & both) === (b.value & both);
};

/** Whether one packet could be in both sets. */
export function overlaps(a: FlowSpec, b: FlowSpec): boolean {
  const same = <T>(one: T | undefined, other: T | undefined): boolean =>
    one === undefined || other === undefined || one === other;
  const type = (spec: FlowSpec): number | undefined =>
    spec.ethertype ?? (spec.family === undefined ? undefined : spec.family === 4 ? IPV4 : IPV6);
  return (
    same(a.vlan, b.vlan) &&
    same(type(a), type(b)) &&
    same(a.protocol, b.protocol) &&
    meet(a.source, b.source) &&
    meet(a.destination, b.destination) &&
    meet(a.sourcePort, b.sourcePort) &&
    meet(a.destinationPort, b.destinationPort)
  );
}

const EVERY_FAMILY = [4, 6] as const;
const EVERY_TRANSPORT = Object.values(TRANSPORTS);

/**
 * The set as rules can hold it: a rule has one family, and ports only with a transport. `udp dst port 9` is two rules,
 * one for IPv4 and one for IPv6.
 */
export function expand(spec: FlowSpec): FlowSpec[] {
  const ip =
    spec.family !== undefined ||
    spec.protocol !== undefined ||
    spec.source !== undefined ||
    spec.destination !== undefined ||
    spec.sourcePort !== undefined ||
    spec.destinationPort !== undefined;
  if (!ip) return [spec];
  const ports = spec.sourcePort !== undefined || spec.destinationPort !== undefined;
  const families = spec.family === undefined ? EVERY_FAMILY : [spec.family];
  if (spec.protocol !== undefined || !ports)
    return families.map((family) => Object.assign({}, spec, { family }));
  return families.flatMap((family) =>
    EVERY_TRANSPORT.map((protocol) => Object.assign({}, spec, { family, protocol })),
  );
}

const NAMES: Readonly<Record<number, string>> = { 1: 'icmp', 6: 'tcp', 17: 'udp', 58: 'icmp6', 132: 'sctp' };

/** Leading ones of a mask, or undefined when it is no prefix. */
function prefixOf(mask: bigint, bits: number): number | undefined {
  for (let length = 0; length <= bits; length++) {
    if (mask === ones(length) << BigInt(bits - length)) return length;
  }
  return undefined;
}

function addressWords(side: string, match: Match, family: 4 | 6): string {
  const bits = addressBits(family);
  const text = (value: bigint): string => {
    const bytes = toBytes(value, bits / 8);
    return family === 4 ? ipv4Text(bytes, 0) : ipv6Text(bytes, 0);
  };
  const prefix = prefixOf(match.mask, bits);
  if (prefix === bits) return `${side} host ${text(match.value)}`;
  if (prefix !== undefined) return `${side} net ${text(match.value)}/${prefix}`;
  return `${side} ${text(match.value)} under mask ${text(match.mask)}`;
}

function portWords(side: string, { value, mask }: Match): string {
  if (mask === ones(16)) return `${side} port ${value}`;
  return `${side} port ${value} under mask 0x${mask.toString(16).padStart(4, '0')}`;
}

/** The set as an expression: `ip and udp and dst port 9999`. */
export function specText(spec: FlowSpec): string {
  const words: string[] = [];
  if (spec.vlan !== undefined) words.push(`vlan ${spec.vlan}`);
  if (spec.ethertype !== undefined && spec.family === undefined) {
    words.push(`ether proto 0x${spec.ethertype.toString(16).padStart(4, '0')}`);
  }
  if (spec.family !== undefined) words.push(spec.family === 4 ? 'ip' : 'ip6');
  if (spec.protocol !== undefined) {
    words.push(NAMES[spec.protocol] ?? `${spec.family === 6 ? 'ip6' : 'ip'} proto ${spec.protocol}`);
  }
  const family = spec.family ?? 4;
  if (spec.source !== undefined) words.push(addressWords('src', spec.source, family));
  if (spec.destination !== undefined) words.push(addressWords('dst', spec.destination, family));
  if (spec.sourcePort !== undefined) words.push(portWords('src', spec.sourcePort));
  if (spec.destinationPort !== undefined) words.push(portWords('dst', spec.destinationPort));
  return words.length === 0 ? 'every packet' : words.join(' and ');
}
