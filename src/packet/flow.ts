/** Who talks to whom: the flow in a packet's first bytes. Nothing beyond the headers is looked at. */
import type { Mutable } from '../base/mutable.js';
import { HEADER_WORDS, type Lane, PACKET_AT_ETHERNET } from '../record/lane.js';
import { ipv4Text, ipv6Text } from './address.js';
import { EXTENSION_HEADERS, FRAGMENT_HEADER, TCP, UDP, VLAN_TAGS } from './protocols.js';

/** A packet's flow. Fields that the packet does not have are absent. */
export interface Flow {
  readonly ethertype: number;
  readonly vlan?: number;
  readonly family?: 'IPv4' | 'IPv6' | 'ARP';
  /** IP protocol number. */
  readonly protocol?: number;
  readonly source?: string;
  readonly destination?: string;
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  /** ICMP type and code. */
  readonly icmp?: readonly [number, number];
  /** Not the first fragment: ports are not in it. */
  readonly fragment?: boolean;
  /** ARP operation: 1 request, 2 reply. */
  readonly operation?: number;
  /** The captured bytes end before the flow does. */
  readonly truncated?: boolean;
}

/** IP protocols whose header begins with two ports. */
export const WITH_PORTS: ReadonlySet<number> = new Set([TCP, UDP, 33, 132, 136]);
const ICMP = 1;
const ICMPV6 = 58;

/** Reads the flow of a row. */
export function readFlow(lane: Lane, row: number): Flow {
  const { packets } = lane;
  const bytes = new Uint8Array(packets.header.buffer, row * HEADER_WORDS * 4, HEADER_WORDS * 4);
  const captured = bytes.subarray(0, packets.capturedLength[row]);
  const atEthernet = ((packets.flags[row] as number) & PACKET_AT_ETHERNET) !== 0;
  return parseFlow(captured, packets.protocol[row] as number, packets.vlan[row] as number, atEthernet);
}

/**
 * Reads a flow from the bytes of a packet.
 * @param bytes from the network header on, or from the Ethernet header where `atEthernet`
 * @param ethertype as the driver found it
 * @param tag VLAN tag control field that the NIC took out, 0: none
 */
export function parseFlow(bytes: Uint8Array, ethertype: number, tag: number, atEthernet = false): Flow {
  let at = 0;
  let type = ethertype;
  let vlan = tag & 0xfff;
  const u16 = (offset: number): number => ((bytes[offset] ?? 0) << 8) | (bytes[offset + 1] ?? 0);
  if (atEthernet && bytes.length >= 14) {
    type = u16(12);
    at = 14;
  }
  while (VLAN_TAGS.has(type) && at + 4 <= bytes.length) {
    vlan ||= u16(at) & 0xfff;
    type = u16(at + 2);
    at += 4;
  }
  const flow: Mutable<Flow> = { ethertype: type };
  if (vlan !== 0) flow.vlan = vlan;
  if (type === 0x0800) parseIpv4(bytes, at, flow);
  else if (type === 0x86dd) parseIpv6(bytes, at, flow);
  else if (type === 0x0806) parseArp(bytes, at, flow);
  return flow;
}

function parseArp(bytes: Uint8Array, at: number, flow: Mutable<Flow>): void {
  flow.family = 'ARP';
  if (at + 28 > bytes.length) {
    flow.truncated = true;
    return;
  }
  flow.operation = bytes[at + 7] as number;
  flow.source = ipv4Text(bytes, at + 14);
  flow.destination = ipv4Text(bytes, at + 24);
}

function parseIpv4(bytes: Uint8Array, at: number, flow: Mutable<Flow>): void {
  flow.family = 'IPv4';
  if (at + 20 > bytes.length) {
    flow.truncated = true;
    return;
  }
  flow.protocol = bytes[at + 9] as number;
  flow.source = ipv4Text(bytes, at + 12);
  flow.destination = ipv4Text(bytes, at + 16);
  const offset = (((bytes[at + 6] as number) & 0x1f) << 8) | (bytes[at + 7] as number);
  const headerBytes = ((bytes[at] as number) & 0x0f) * 4;
  if (offset !== 0) flow.fragment = true;
  else if (headerBytes >= 20) parseTransport(bytes, at + headerBytes, flow); // less: malformed
}

function parseIpv6(bytes: Uint8Array, at: number, flow: Mutable<Flow>): void {
  flow.family = 'IPv6';
  if (at + 40 > bytes.length) {
    flow.truncated = true;
    return;
  }
  flow.source = ipv6Text(bytes, at + 8);
  flow.destination = ipv6Text(bytes, at + 24);
  let protocol = bytes[at + 6] as number;
  let next = at + 40;
  while (EXTENSION_HEADERS.has(protocol) || protocol === FRAGMENT_HEADER) {
    if (next + 8 > bytes.length) {
      flow.protocol = protocol;
      flow.truncated = true;
      return;
    }
    if (protocol === FRAGMENT_HEADER) {
      const offset = ((bytes[next + 2] as number) << 8) | ((bytes[next + 3] as number) & 0xf8);
      protocol = bytes[next] as number;
      next += 8;
      if (offset !== 0) {
        flow.protocol = protocol;
        flow.fragment = true;
        return;
      }
      continue;
    }
    protocol = bytes[next] as number;
    next += ((bytes[next + 1] as number) + 1) * 8;
  }
  flow.protocol = protocol;
  parseTransport(bytes, next, flow);
}

function parseTransport(bytes: Uint8Array, at: number, flow: Mutable<Flow>): void {
  const protocol = flow.protocol as number;
  if (WITH_PORTS.has(protocol)) {
    if (at + 4 > bytes.length) {
      flow.truncated = true;
      return;
    }
    flow.sourcePort = ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
    flow.destinationPort = ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number);
  } else if (protocol === ICMP || protocol === ICMPV6) {
    if (at + 2 > bytes.length) flow.truncated = true;
    else flow.icmp = [bytes[at] as number, bytes[at + 1] as number];
  }
}

/** What IP protocols are called where flows are printed. */
export const PROTOCOL_NAMES: Readonly<Record<number, string>> = {
  1: 'ICMP',
  2: 'IGMP',
  6: 'TCP',
  17: 'UDP',
  33: 'DCCP',
  41: 'IPv6-in-IP',
  47: 'GRE',
  50: 'ESP',
  58: 'ICMPv6',
  89: 'OSPF',
  132: 'SCTP',
  136: 'UDP-Lite',
};

/** Name of an IP protocol, or its number. */
export function protocolName(protocol: number): string {
  return PROTOCOL_NAMES[protocol] ?? `proto ${protocol}`;
}

/** The flow as one short text: `10.0.0.2:1000 → 10.0.0.1:9999 UDP`. */
export function flowText(flow: Flow): string {
  const prefix = flow.vlan === undefined ? '' : `vlan ${flow.vlan} `;
  if (flow.family === undefined)
    return `${prefix}ethertype 0x${flow.ethertype.toString(16).padStart(4, '0')}`;
  if (flow.source === undefined || flow.destination === undefined)
    return `${prefix}${flow.family} (headers not captured)`;
  if (flow.family === 'ARP') {
    const words =
      flow.operation === 1 ? ['who-has', flow.destination, 'tell', flow.source] : ['is-at', flow.source];
    return `${prefix}ARP ${words.join(' ')}`;
  }
  const v6 = flow.family === 'IPv6';
  const end = (address: string, port: number | undefined): string =>
    port === undefined ? address : v6 ? `[${address}]:${port}` : `${address}:${port}`;
  const protocol = flow.protocol === undefined ? '' : ` ${protocolName(flow.protocol)}`;
  const detail = flow.icmp ? ` type ${flow.icmp[0]}` : flow.fragment ? ' fragment' : '';
  return `${prefix}${end(flow.source, flow.sourcePort)} → ${end(flow.destination, flow.destinationPort)}${protocol}${detail}`;
}
