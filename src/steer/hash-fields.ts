/** Which packet fields a NIC hashes, per flow type: RXH_* of include/uapi/linux/ethtool.h. */
import type { FlowSpec } from './flow-spec.js';
import { FLOW_TYPE, transportType } from './rules.js';

const IP_SOURCE = 1 << 4;
const IP_DESTINATION = 1 << 5;
const PORT_SOURCE = 1 << 6;
const PORT_DESTINATION = 1 << 7;

/** Both addresses: what ethtool calls `sd`. */
export const ADDRESSES: number = IP_SOURCE | IP_DESTINATION;
/** Both addresses and both ports: `sdfn`. */
export const ADDRESSES_AND_PORTS: number = ADDRESSES | PORT_SOURCE | PORT_DESTINATION;

const WORDS: readonly (readonly [number, string])[] = [
  [1 << 1, 'destination MAC'],
  [1 << 2, 'VLAN'],
  [1 << 3, 'protocol'],
  [IP_SOURCE, 'source address'],
  [IP_DESTINATION, 'destination address'],
  [PORT_SOURCE, 'source port'],
  [PORT_DESTINATION, 'destination port'],
  [1 << 8, 'GTP tunnel'],
  [1 << 9, 'IPv6 flow label'],
];

/** The fields in words. */
export function fieldsText(fields: number): string {
  const words = WORDS.filter(([bit]) => (fields & bit) !== 0).map(([, word]) => word);
  return words.length === 0 ? 'nothing' : words.join(', ');
}

/** Flow types that can be asked for, with the words of ethtool. */
export const HASHED_TYPES: readonly (readonly [string, number])[] = [
  ['tcp4', FLOW_TYPE.tcp4],
  ['udp4', FLOW_TYPE.udp4],
  ['tcp6', FLOW_TYPE.tcp6],
  ['udp6', FLOW_TYPE.udp6],
];

/** The flow type whose fields decide for an expanded set of flows. */
export function hashedType(spec: FlowSpec): number {
  return transportType(spec) ?? (spec.family === 4 ? FLOW_TYPE.ipv4 : FLOW_TYPE.ipv6);
}

/** Hash functions by their bit (ETH_RSS_HASH_*). */
export const HASH_FUNCTIONS: Readonly<Record<number, string>> = {
  0: 'not told',
  1: 'Toeplitz',
  2: 'XOR',
  4: 'CRC32',
};
