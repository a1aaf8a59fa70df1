/** N-tuple rules: a set of flows as the kernel's struct ethtool_rx_flow_spec, and back. */
import { FLOW_SPEC } from '../sys/nic-settings.js';
import {
  type FlowSpec,
  IPV4,
  IPV6,
  type Match,
  TRANSPORTS,
  ones,
  specText,
  toBigint,
  toBytes,
} from './flow-spec.js';

/** Flow types of include/uapi/linux/ethtool.h. */
export const FLOW_TYPE = {
  tcp4: 1,
  udp4: 2,
  sctp4: 3,
  tcp6: 5,
  udp6: 6,
  sctp6: 7,
  user4: 0x0d,
  user6: 0x0e,
  ipv4: 0x10,
  ipv6: 0x11,
  ether: 0x12,
} as const;

const EXTENDED = 0x8000_0000;
const MAC_EXTENDED = 0x4000_0000;
const RSS_CONTEXT = 0x2000_0000;
const DROP = 0xffff_ffff_ffff_ffffn;
const WAKE = 0xffff_ffff_ffff_fffen;
/** The driver picks the location. */
export const ANY_LOCATION = 0xffff_ffff;
const ETH_RX_NFC_IP4 = 1;
/** Offset and length in flow_ext, from the start of the extension. */
const VLAN_TCI = 10;
const VLAN_ID = 0x0fff;

/** Byte ranges of the header union, by kind of flow. */
interface Layout {
  readonly family: 4 | 6;
  readonly protocol: number | undefined;
  readonly source: readonly [number, number];
  readonly destination: readonly [number, number];
  readonly sourcePort?: readonly [number, number];
  readonly destinationPort?: readonly [number, number];
  readonly protocolAt?: number;
}

const v4 = (protocol: number): Layout => ({
  family: 4,
  protocol,
  source: [0, 4],
  destination: [4, 4],
  sourcePort: [8, 2],
  destinationPort: [10, 2],
});
const v6 = (protocol: number): Layout => ({
  family: 6,
  protocol,
  source: [0, 16],
  destination: [16, 16],
  sourcePort: [32, 2],
  destinationPort: [34, 2],
});
const LAYOUTS: ReadonlyMap<number, Layout> = new Map<number, Layout>([
  [FLOW_TYPE.tcp4, v4(6)],
  [FLOW_TYPE.udp4, v4(17)],
  [FLOW_TYPE.sctp4, v4(132)],
  [FLOW_TYPE.tcp6, v6(6)],
  [FLOW_TYPE.udp6, v6(17)],
  [FLOW_TYPE.sctp6, v6(132)],
  [FLOW_TYPE.user4, { family: 4, protocol: undefined, source: [0, 4], destination: [4, 4], protocolAt: 14 }],
  [
    FLOW_TYPE.user6,
    { family: 6, protocol: undefined, source: [0, 16], destination: [16, 16], protocolAt: 37 },
  ],
]);
const IP_VERSION_AT = 13;
const ETHERTYPE_AT = 12;

/** Flow type of a transport that has one of its own. */
export function transportType({ family, protocol }: FlowSpec): number | undefined {
  const four = family !== 6;
  if (protocol === TRANSPORTS.tcp) return four ? FLOW_TYPE.tcp4 : FLOW_TYPE.tcp6;
  if (protocol === TRANSPORTS.udp) return four ? FLOW_TYPE.udp4 : FLOW_TYPE.udp6;
  if (protocol === TRANSPORTS.sctp) return four ? FLOW_TYPE.sctp4 : FLOW_TYPE.sctp6;
  return undefined;
}

/** Flow type of an expanded set. */
function typeOf(spec: FlowSpec): number {
  if (spec.family === undefined) return FLOW_TYPE.ether;
  return transportType(spec) ?? (spec.family === 4 ? FLOW_TYPE.user4 : FLOW_TYPE.user6);
}

/** The rule that sends an expanded set (flow-spec.ts, expand) to a queue, at a location or wherever the driver likes. */
export function encodeRule(spec: FlowSpec, queue: number, location = ANY_LOCATION): Uint8Array {
  const rule = new Uint8Array(FLOW_SPEC.SIZE);
  const view = new DataView(rule.buffer);
  const put = (at: number, length: number, { value, mask }: Match): void => {
    rule.set(toBytes(value & mask, length), FLOW_SPEC.header + at);
    rule.set(toBytes(mask, length), FLOW_SPEC.headerMask + at);
  };
  const type = typeOf(spec);
  const layout = LAYOUTS.get(type);
  if (layout === undefined) {
    if (spec.ethertype !== undefined) put(ETHERTYPE_AT, 2, { value: BigInt(spec.ethertype), mask: ones(16) });
  } else {
    if (spec.source) put(...layout.source, spec.source);
    if (spec.destination) put(...layout.destination, spec.destination);
    if (spec.sourcePort && layout.sourcePort) put(...layout.sourcePort, spec.sourcePort);
    if (spec.destinationPort && layout.destinationPort) put(...layout.destinationPort, spec.destinationPort);
    if (layout.protocolAt !== undefined && spec.protocol !== undefined) {
      put(layout.protocolAt, 1, { value: BigInt(spec.protocol), mask: ones(8) });
    }
    // Says which of two layouts is meant; it has no mask.
    if (type === FLOW_TYPE.user4) rule[FLOW_SPEC.header + IP_VERSION_AT] = ETH_RX_NFC_IP4;
  }
  if (spec.vlan !== undefined) {
    view.setUint16(FLOW_SPEC.extension + VLAN_TCI, spec.vlan);
    view.setUint16(FLOW_SPEC.extensionMask + VLAN_TCI, VLAN_ID);
  }
  view.setUint32(FLOW_SPEC.flowType, (type | (spec.vlan === undefined ? 0 : EXTENDED)) >>> 0, true);
  view.setBigUint64(FLOW_SPEC.ringCookie, BigInt(queue), true);
  view.setUint32(FLOW_SPEC.location, location, true);
  return rule;
}

/** Where a rule sends its packets. */
export type RuleAction =
  | { readonly kind: 'queue'; readonly queue: number; readonly vf: number }
  | { readonly kind: 'context'; readonly context: number | undefined }
  | { readonly kind: 'drop' }
  | { readonly kind: 'wake' };

/** A rule as it was read. */
export interface DecodedRule {
  readonly location: number;
  readonly spec: FlowSpec;
  readonly action: RuleAction;
  /** It also looks at fields that {@link FlowSpec} has no place for (MAC addresses, TOS, user data). */
  readonly more: boolean;
}

/** The location that a rule carries. */
export function locationOf(rule: Uint8Array): number {
  return new DataView(rule.buffer, rule.byteOffset).getUint32(FLOW_SPEC.location, true);
}

/** Reads a rule. */
export function decodeRule(rule: Uint8Array): DecodedRule {
  const view = new DataView(rule.buffer, rule.byteOffset);
  const flags = view.getUint32(FLOW_SPEC.flowType, true);
  const type = flags & 0xff;
  const layout = LAYOUTS.get(type);
  const unread = new Set<number>();
  for (let at = FLOW_SPEC.headerMask; at < FLOW_SPEC.ringCookie - 4; at++) if (rule[at] !== 0) unread.add(at);
  const take = (range: readonly [number, number] | undefined): Match | undefined => {
    if (range === undefined) return undefined;
    const [at, length] = range;
    const maskAt = FLOW_SPEC.headerMask + at;
    for (let i = 0; i < length; i++) unread.delete(maskAt + i);
    const mask = toBigint(rule.subarray(maskAt, maskAt + length));
    const value = toBigint(rule.subarray(FLOW_SPEC.header + at, FLOW_SPEC.header + at + length)) & mask;
    return mask === 0n ? undefined : { value, mask };
  };
  let spec: Record<string, unknown> = {};
  if (layout !== undefined) {
    const protocol = layout.protocolAt === undefined ? undefined : take([layout.protocolAt, 1]);
    const fields = {
      family: layout.family,
      protocol: layout.protocol ?? (protocol === undefined ? undefined : Number(protocol.value)),
      source: take(layout.source),
      destination: take(layout.destination),
      sourcePort: take(layout.sourcePort),
      destinationPort: take(layout.destinationPort),
    };
    spec = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
  } else if (type === FLOW_TYPE.ether) {
    const ethertype = take([ETHERTYPE_AT, 2]);
    if (ethertype?.mask === ones(16)) {
      const value = Number(ethertype.value);
      spec = value === IPV4 || value === IPV6 ? { family: value === IPV4 ? 4 : 6 } : { ethertype: value };
    }
  }
  const vlanMask = view.getUint16(FLOW_SPEC.extensionMask + VLAN_TCI) & VLAN_ID;
  if ((flags & EXTENDED) !== 0 && vlanMask === VLAN_ID) {
    spec['vlan'] = view.getUint16(FLOW_SPEC.extension + VLAN_TCI) & VLAN_ID;
    unread.delete(FLOW_SPEC.extensionMask + VLAN_TCI);
    unread.delete(FLOW_SPEC.extensionMask + VLAN_TCI + 1);
  }
  return {
    location: locationOf(rule),
    spec,
    action: actionOf(view.getBigUint64(FLOW_SPEC.ringCookie, true), flags),
    more:
      unread.size > 0 || (layout === undefined && type !== FLOW_TYPE.ether) || (flags & MAC_EXTENDED) !== 0,
  };
}

function actionOf(cookie: bigint, flags: number): RuleAction {
  if (cookie === DROP) return { kind: 'drop' };
  if (cookie === WAKE) return { kind: 'wake' };
  // The context's number is in the request, not in the rule, so it is not known here.
  if ((flags & RSS_CONTEXT) !== 0) return { kind: 'context', context: undefined };
  return { kind: 'queue', queue: Number(cookie & 0xffff_ffffn), vf: Number((cookie >> 32n) & 0xffn) };
}

/** Where a rule sends its packets, in words. */
export function actionText(action: RuleAction): string {
  if (action.kind === 'drop') return 'drop';
  if (action.kind === 'wake') return 'wake up';
  if (action.kind === 'context') return 'an RSS context';
  return action.vf === 0
    ? `queue ${action.queue}`
    : `virtual function ${action.vf - 1}, queue ${action.queue}`;
}

/** A rule in one line: `rule 1023: ip and udp and dst port 9999 → queue 1`. */
export function ruleText(rule: DecodedRule): string {
  const more = rule.more ? ' and fields that rxstamp does not name (ethtool -n)' : '';
  return `rule ${rule.location}: ${specText(rule.spec)}${more} → ${actionText(rule.action)}`;
}

/** True when two rules look at the same bits and do the same; bits that no mask selects may differ. */
export function sameRule(a: Uint8Array, b: Uint8Array): boolean {
  const masked = (rule: Uint8Array): string => {
    const out = rule.slice(0, FLOW_SPEC.location);
    const distance = FLOW_SPEC.headerMask - FLOW_SPEC.header;
    for (let at = FLOW_SPEC.header; at < FLOW_SPEC.headerMask; at++) {
      out[at] = (rule[at] ?? 0) & (rule[at + distance] ?? 0);
    }
    // The padding before the cookie means nothing.
    out.fill(0, FLOW_SPEC.ringCookie - 4, FLOW_SPEC.ringCookie);
    return Buffer.from(out).toString('hex');
  };
  return masked(a) === masked(b);
}
