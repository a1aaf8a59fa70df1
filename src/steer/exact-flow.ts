/** One exact flow, as people write it and as rxstamp prints it. */
import type { Mutable } from '../base/mutable.js';
import { parseAddress } from '../packet/address.js';
import { PROTOCOL_NAMES, WITH_PORTS } from '../packet/flow.js';
import { type FlowSpec, type Match, addressBits, ones, toBigint, unreadable } from './flow-spec.js';

const FORM =
  'write it like udp 10.0.0.2:1000 > 10.0.0.1:9999, or as rxstamp trace prints a packet of IP that is no fragment';

function cannot(text: string, why: string): ReturnType<typeof unreadable> {
  return unreadable(text, why, FORM);
}

const PROTOCOLS: ReadonlyMap<string, number> = new Map([
  ...Object.entries(PROTOCOL_NAMES).map(([number, name]) => [name.toLowerCase(), Number(number)] as const),
  ['icmp6', 58],
]);

/** The protocol of `udp`, `ICMPv6` or `proto 4`. */
function protocolOf(words: readonly string[]): number | undefined {
  const [first = '', second] = words;
  if (words.length === 1) return PROTOCOLS.get(first.toLowerCase());
  const number = first === 'proto' && words.length === 2 && /^\d+$/.test(second ?? '') ? Number(second) : 256;
  return number < 256 ? number : undefined;
}

/**
 * Reads one exact flow: `udp 10.0.0.2:1000 > 10.0.0.1:9999`, or as rxstamp prints it,
 * `10.0.0.2:1000 → 10.0.0.1:9999 UDP`. IPv6 with ports in brackets.
 * @throws RxError RXS_FLOW
 */
export function parseExactFlow(text: string): FlowSpec {
  const words = text
    .trim()
    .replace(/(→|->|>)/, ' > ')
    .split(/\s+/);
  const spec: Mutable<FlowSpec> = {};
  if (words[0]?.toLowerCase() === 'vlan') {
    spec.vlan = Number(words[1]);
    words.splice(0, 2);
    if (!(spec.vlan >= 1 && spec.vlan <= 4094)) throw cannot(text, 'vlan needs an ID from 1 to 4094');
  }
  const arrow = words.indexOf('>');
  const [ahead, behind] = [words.slice(0, Math.max(0, arrow - 1)), words.slice(arrow + 2)];
  if (behind.at(-1) === 'fragment')
    throw cannot(text, 'a fragment has no ports, and where a NIC puts it is its own affair');
  // Which ICMP message it is decides nothing.
  if (behind.at(-2) === 'type' && /^\d+$/.test(behind.at(-1) ?? '')) behind.splice(-2);
  if (arrow < 1 || (ahead.length === 0) === (behind.length === 0)) throw cannot(text, 'not one flow');
  const named = ahead.length > 0 ? ahead : behind;
  const protocol = protocolOf(named);
  if (protocol === undefined) throw cannot(text, `"${named.join(' ')}" is no protocol`);
  const [source, destination] = [words[arrow - 1], words[arrow + 1]].map((end) => {
    const match = /^\[(.+)\]:(\d+)$|^([\d.]+):(\d+)$|^(\S+)$/.exec(end ?? '');
    const bytes = parseAddress(match?.[1] ?? match?.[3] ?? match?.[5] ?? '');
    const port = match?.[2] ?? match?.[4];
    if (bytes === undefined || Number(port ?? 0) > 65_535) {
      throw cannot(text, `"${end}" is no address with a port`);
    }
    return { bytes, port };
  });
  if (source === undefined || destination === undefined || source.bytes.length !== destination.bytes.length) {
    throw cannot(text, 'the two ends are of different IP versions');
  }
  const family = source.bytes.length === 4 ? 4 : 6;
  const mask = ones(addressBits(family));
  const ports = WITH_PORTS.has(protocol);
  if ([source, destination].some(({ port }) => (port !== undefined) !== ports)) {
    throw cannot(text, ports ? 'both ends need a port' : 'this protocol has no ports');
  }
  const port = (value: string): Match => ({ value: BigInt(value), mask: ones(16) });
  return {
    ...spec,
    family,
    protocol,
    source: { value: toBigint(source.bytes), mask },
    destination: { value: toBigint(destination.bytes), mask },
    ...(source.port === undefined ? {} : { sourcePort: port(source.port) }),
    ...(destination.port === undefined ? {} : { destinationPort: port(destination.port) }),
  };
}
