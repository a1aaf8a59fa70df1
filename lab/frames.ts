/** Ethernet frames with correct checksums. Pure: addresses in, bytes out. */

/** The lab's addresses: the guest is .1, the peer that frames pretend to come from is .2. */
export const ADDRESSES = {
  guestMac: '52:54:00:77:00:01',
  /** Of the guest's second NIC. */
  secondMac: '52:54:00:77:00:03',
  peerMac: '52:54:00:77:00:02',
  guest4: '10.77.0.1',
  peer4: '10.77.0.2',
  guest6: 'fd77::1',
  peer6: 'fd77::2',
} as const;

/** Shortest frame without its check sequence, bytes. Shorter ones are padded, as a NIC would. */
const SHORTEST = 60;

const ETHER = { ipv4: 0x0800, arp: 0x0806, vlan: 0x8100, ipv6: 0x86dd, ptp: 0x88f7 } as const;
const PROTOCOL = { icmp: 1, udp: 17, icmp6: 58 } as const;

/** Bytes of `52:54:00:77:00:01`. */
export function macBytes(text: string): Buffer {
  return Buffer.from(text.replaceAll(':', ''), 'hex');
}

const groups = (part: string): number[] =>
  part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16));

/** Bytes of an IPv4 or IPv6 address. */
export function addressBytes(text: string): Buffer {
  if (!text.includes(':')) return Buffer.from(text.split('.').map(Number));
  const [head = '', tail] = text.split('::');
  const [left, right] = [groups(head), groups(tail ?? '')];
  const all =
    tail === undefined ? left : [...left, ...Array(8 - left.length - right.length).fill(0), ...right];
  const bytes = Buffer.alloc(16);
  all.forEach((group: number, index) => bytes.writeUInt16BE(group, index * 2));
  return bytes;
}

/** The Internet checksum (RFC 1071) over some buffers, as if they were one. Only the last may have an odd length. */
export function checksum(...parts: readonly Buffer[]): number {
  let sum = 0;
  for (const part of parts) {
    for (let i = 0; i + 1 < part.length; i += 2) sum += part.readUInt16BE(i);
    if (part.length % 2 === 1) sum += (part[part.length - 1] ?? 0) << 8;
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

function ethernet(type: number, body: Buffer, from: string, to: string): Buffer {
  const frame = Buffer.alloc(Math.max(SHORTEST, 14 + body.length));
  macBytes(to).copy(frame, 0);
  macBytes(from).copy(frame, 6);
  frame.writeUInt16BE(type, 12);
  body.copy(frame, 14);
  return frame;
}

function ipv4(protocol: number, body: Buffer, source: Buffer, target: Buffer): Buffer {
  const head = Buffer.alloc(20);
  head[0] = 0x45;
  head.writeUInt16BE(20 + body.length, 2);
  head.writeUInt16BE(0x4000, 6); // don't fragment
  head[8] = 64;
  head[9] = protocol;
  source.copy(head, 12);
  target.copy(head, 16);
  head.writeUInt16BE(checksum(head), 10);
  return Buffer.concat([head, body]);
}

function ipv6(protocol: number, body: Buffer, source: Buffer, target: Buffer): Buffer {
  const head = Buffer.alloc(40);
  head[0] = 0x60;
  head.writeUInt16BE(body.length, 4);
  head[6] = protocol;
  head[7] = 64;
  source.copy(head, 8);
  target.copy(head, 24);
  return Buffer.concat([head, body]);
}

/** What transport checksums cover besides the transport's own bytes. */
export function pseudoHeader(protocol: number, length: number, source: Buffer, target: Buffer): Buffer {
  const tail = Buffer.alloc(8);
  tail.writeUInt32BE(length, 0);
  tail.writeUInt32BE(protocol, 4);
  return Buffer.concat([source, target, tail]);
}

/** Frame of an IP packet with this protocol and body, IPv6 when the addresses are. */
export function ipFrame(
  protocol: number,
  body: Buffer,
  source: string,
  target: string,
  from: string,
  to: string,
): Buffer {
  const [src, dst] = [addressBytes(source), addressBytes(target)];
  return src.length === 4
    ? ethernet(ETHER.ipv4, ipv4(protocol, body, src, dst), from, to)
    : ethernet(ETHER.ipv6, ipv6(protocol, body, src, dst), from, to);
}

/** A UDP datagram; IPv6 when its addresses are. */
export interface Udp {
  readonly sourcePort: number;
  readonly port: number;
  readonly payload: Buffer;
  readonly source?: string;
  readonly target?: string;
  readonly sourceMac?: string;
  readonly targetMac?: string;
}

/** Frame of a UDP datagram from the peer to the guest, unless other addresses are given. */
export function udpFrame(udp: Udp): Buffer {
  const target = udp.target ?? ADDRESSES.guest4;
  const source = udp.source ?? (target.includes(':') ? ADDRESSES.peer6 : ADDRESSES.peer4);
  const body = Buffer.alloc(8 + udp.payload.length);
  body.writeUInt16BE(udp.sourcePort, 0);
  body.writeUInt16BE(udp.port, 2);
  body.writeUInt16BE(body.length, 4);
  udp.payload.copy(body, 8);
  const [src, dst] = [addressBytes(source), addressBytes(target)];
  // Zero would mean "no checksum"; the sum is sent as its other zero then.
  body.writeUInt16BE(checksum(pseudoHeader(PROTOCOL.udp, body.length, src, dst), body) || 0xffff, 6);
  return ipFrame(
    PROTOCOL.udp,
    body,
    source,
    target,
    udp.sourceMac ?? ADDRESSES.peerMac,
    udp.targetMac ?? ADDRESSES.guestMac,
  );
}

/** Frame of an ICMP or ICMPv6 echo request to the guest. */
export function echoFrame(sequence: number, version: 4 | 6 = 4, payload = Buffer.alloc(32)): Buffer {
  const [source, target] =
    version === 4 ? [ADDRESSES.peer4, ADDRESSES.guest4] : [ADDRESSES.peer6, ADDRESSES.guest6];
  const body = Buffer.alloc(8 + payload.length);
  body[0] = version === 4 ? 8 : 128;
  body.writeUInt16BE(0x7278, 4);
  body.writeUInt16BE(sequence & 0xffff, 6);
  payload.copy(body, 8);
  const protocol = version === 4 ? PROTOCOL.icmp : PROTOCOL.icmp6;
  const covered =
    version === 4 ? [] : [pseudoHeader(protocol, body.length, addressBytes(source), addressBytes(target))];
  body.writeUInt16BE(checksum(...covered, body), 2);
  return ipFrame(protocol, body, source, target, ADDRESSES.peerMac, ADDRESSES.guestMac);
}

/** Frame of a broadcast ARP request for the guest's IPv4 address. */
export function arpFrame(): Buffer {
  const body = Buffer.alloc(28);
  body.writeUInt16BE(1, 0);
  body.writeUInt16BE(ETHER.ipv4, 2);
  body[4] = 6;
  body[5] = 4;
  body.writeUInt16BE(1, 6);
  macBytes(ADDRESSES.peerMac).copy(body, 8);
  addressBytes(ADDRESSES.peer4).copy(body, 14);
  addressBytes(ADDRESSES.guest4).copy(body, 24);
  return ethernet(ETHER.arp, body, ADDRESSES.peerMac, 'ff:ff:ff:ff:ff:ff');
}

/**
 * Frame of a PTPv2 Sync over Ethernet (IEEE 1588-2008, annex F), sent to the guest's own address: NICs drop the PTP
 * group address unless somebody has joined it.
 */
export function ptpSyncFrame(sequence: number): Buffer {
  const body = Buffer.alloc(44);
  body[0] = 0; // messageType Sync
  body[1] = 2; // versionPTP
  body.writeUInt16BE(body.length, 2);
  body.writeUInt16BE(sequence & 0xffff, 30);
  return ethernet(ETHER.ptp, body, ADDRESSES.peerMac, ADDRESSES.guestMac);
}

/** The frame with an 802.1Q tag. */
export function vlanTagged(frame: Buffer, id: number): Buffer {
  const tag = Buffer.alloc(4);
  tag.writeUInt16BE(ETHER.vlan, 0);
  tag.writeUInt16BE(id & 0xfff, 2);
  return Buffer.concat([frame.subarray(0, 12), tag, frame.subarray(12)]);
}

/** What marks a payload as one of ours. */
const MARK = 'rxlab ';

/** A payload of `size` bytes that starts with a sequence number in readable text: `rxlab 00000042`. */
export function sequencePayload(sequence: number, size = MARK.length + 8): Buffer {
  const text = Buffer.from(`${MARK}${String(sequence).padStart(8, '0')}`);
  if (size < text.length) throw new RangeError(`payload of ${size} bytes, needs ${text.length}`);
  return Buffer.concat([text, Buffer.alloc(size - text.length)]);
}

/** The sequence number in a payload made by {@link sequencePayload}; undefined for any other. */
export function sequenceOf(payload: Buffer): number | undefined {
  const digits = /^rxlab (\d{8})/.exec(payload.toString('latin1'))?.[1];
  return digits === undefined ? undefined : Number(digits);
}

const SPREAD_BASE = 20_000;

/** Flows that {@link spreadPort} has ports for. */
export const SPREAD_FLOWS = 16;

/**
 * Source port of a flow, 0 to 15, for tests that need packets on every queue: each turns another bit of the port. A
 * Toeplitz hash is linear, and its key may be new at each boot: neighbouring ports differ in few bits, which all keys
 * of one in eight put on one queue. All sixteen together it is one in 32,768.
 */
export function spreadPort(flow: number): number {
  if (!Number.isInteger(flow) || flow < 0 || flow >= SPREAD_FLOWS) throw new RangeError(`no flow ${flow}`);
  return flow === 0 ? SPREAD_BASE : SPREAD_BASE ^ (1 << (flow - 1));
}

/** Some UDP flows to the guest. */
export interface Flows {
  readonly count: number;
  /** Flows differ in their source port and take turns. */
  readonly flows?: number;
  readonly version?: 4 | 6;
  readonly port?: number;
  /** Source port of the first flow. */
  readonly firstSourcePort?: number;
  /** Payload size, bytes. */
  readonly size?: number;
  readonly targetMac?: string;
}

/** Port the lab's receiver listens on. */
export const SINK_PORT = 9999;

/** `count` UDP frames over `flows` flows, numbered in their payload from 0. */
export function udpFlows(flows: Flows): Buffer[] {
  const first = flows.firstSourcePort ?? 1000;
  const target = flows.version === 6 ? ADDRESSES.guest6 : ADDRESSES.guest4;
  return Array.from({ length: flows.count }, (_, index) =>
    udpFrame({
      sourcePort: first + (index % (flows.flows ?? 1)),
      port: flows.port ?? SINK_PORT,
      payload: sequencePayload(index, flows.size),
      target,
      ...(flows.targetMac === undefined ? {} : { targetMac: flows.targetMac }),
    }),
  );
}
