/** The same packets as several methods saw them, matched one to one: by the skb where both tell it, else by their first bytes. Pure. */
import { type Spread, quantile, spread } from '../base/stats.js';

/** One packet as one method saw it. Nanoseconds, one base for all methods; NaN: not stamped. */
export interface PacketSighting {
  /** First stamp of the packet itself. */
  readonly time: number;
  readonly driver: number;
  /** Interrupt that brought it; NaN where it did not come by its own. */
  readonly interrupt: number;
  /** Address of its skb, 0: the method does not tell. */
  readonly skb: number;
  /** Bytes from the network header on, as text; empty: the method does not tell. */
  readonly bytes: string;
}

/** Further apart than this two stamps are not of the same packet: an skb's address is used again at once. */
const SAME_SKB_NS = 2_000_000;

/** For each packet of the reference the other method's packet, or undefined. */
export function matchPackets(
  reference: readonly PacketSighting[],
  seen: readonly PacketSighting[],
): readonly (PacketSighting | undefined)[] {
  const bySkb = seen.length > 0 && seen.every(({ skb }) => skb !== 0);
  const keyOf = ({ skb, bytes }: PacketSighting): string => (bySkb ? String(skb) : bytes);
  const waiting = new Map<string, PacketSighting[]>();
  for (const packet of [...seen].sort((a, b) => a.time - b.time)) {
    const key = keyOf(packet);
    const same = waiting.get(key);
    if (same === undefined) waiting.set(key, [packet]);
    else same.push(packet);
  }
  const order = reference
    .map((packet, index) => ({ packet, index }))
    .sort((a, b) => a.packet.time - b.packet.time);
  const found: (PacketSighting | undefined)[] = reference.map(() => undefined);
  for (const { packet, index } of order) {
    const key = keyOf(packet);
    const same = key === '' ? undefined : waiting.get(key);
    if (same === undefined) continue;
    // What is older than any stamp of this packet can be belongs to one that the reference does not have.
    while (same.length > 0 && (same[0] as PacketSighting).time < packet.time - SAME_SKB_NS) same.shift();
    const first = same[0];
    if (first === undefined || (bySkb && first.time > packet.time + SAME_SKB_NS)) continue;
    found[index] = same.shift();
  }
  return found;
}

/** A spread with its 99th percentile. */
export type Lateness = Spread & { readonly p99: number };

function lateness(values: readonly number[]): Lateness | undefined {
  const known = values.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b);
  return known.length === 0 ? undefined : { ...spread(known), p99: quantile(known, 0.99) };
}

/** How late a method's stamps are. */
export function packetLateness(
  reference: readonly PacketSighting[],
  found: readonly (PacketSighting | undefined)[],
): {
  readonly matched: number;
  readonly afterDriver: Lateness | undefined;
  readonly afterInterrupt: Lateness | undefined;
} {
  const after = (from: (packet: PacketSighting) => number): number[] =>
    reference.map((packet, index) => (found[index]?.time ?? Number.NaN) - from(packet));
  return {
    matched: found.filter((packet) => packet !== undefined).length,
    afterDriver: lateness(after(({ driver }) => driver)),
    afterInterrupt: lateness(after(({ interrupt }) => interrupt)),
  };
}
