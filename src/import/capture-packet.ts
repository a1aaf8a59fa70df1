/** A packet of a capture from its network header on, whatever its link layer. */
import { HEADER_WORDS } from '../record/lane.js';

/** A link layer that is understood: where the network header begins, what it is, and which packets were sent, not received. */
export interface Framed {
  readonly at: number;
  /** Host order. */
  readonly protocol: number;
  readonly sent: boolean;
}

const u16 = (bytes: Uint8Array, at: number): number =>
  ((bytes[at] as number) << 8) | (bytes[at + 1] as number);

const PACKET_OUTGOING = 4;

const byVersion = (bytes: Uint8Array, at: number): Framed | undefined => {
  const version = (bytes[at] ?? 0) >> 4;
  if (version !== 4 && version !== 6) return undefined;
  return { at, protocol: version === 4 ? 0x0800 : 0x86dd, sent: false };
};

/** By LINKTYPE_ number (tcpdump.org/linktypes.html). */
const LINKS: Readonly<Record<number, (bytes: Uint8Array) => Framed | undefined>> = {
  // NULL and LOOP: four bytes of address family, in anybody's byte order.
  0: (bytes) => byVersion(bytes, 4),
  108: (bytes) => byVersion(bytes, 4),
  // EN10MB
  1: (bytes) => (bytes.length < 14 ? undefined : { at: 14, protocol: u16(bytes, 12), sent: false }),
  // RAW, IPV4, IPV6, and RAW as DLT numbers
  12: (bytes) => byVersion(bytes, 0),
  14: (bytes) => byVersion(bytes, 0),
  101: (bytes) => byVersion(bytes, 0),
  228: (bytes) => byVersion(bytes, 0),
  229: (bytes) => byVersion(bytes, 0),
  // LINUX_SLL: what tcpdump -i any writes
  113: (bytes) =>
    bytes.length < 16
      ? undefined
      : { at: 16, protocol: u16(bytes, 14), sent: u16(bytes, 0) === PACKET_OUTGOING },
  // LINUX_SLL2
  276: (bytes) =>
    bytes.length < 20 ? undefined : { at: 20, protocol: u16(bytes, 0), sent: bytes[10] === PACKET_OUTGOING },
};

/** Finds the network header; undefined: too short, or a link layer that is not known. */
export function framed(link: number, bytes: Uint8Array): Framed | undefined {
  return LINKS[link]?.(bytes);
}

/** The bytes of a packet that a row takes, from `at` on. */
export function kept(bytes: Uint8Array, at: number): Uint8Array {
  return bytes.subarray(at, at + HEADER_WORDS * 4);
}
