/** One exact flow, as people write it and as rxstamp prints it. */
import { RxError } from '../base/errors.js';
import { parseAddress } from '../packet/address.js';
import { type FlowSpec, type Match, TRANSPORTS, addressBits, ones, toBigint } from './flow-spec.js';

const FORM = 'write it like udp 10.0.0.2:1000 > 10.0.0.1:9999, or as rxstamp trace prints it';

function cannot(text: string, why: string): RxError {
  return new RxError('RXS_FLOW', {
    doing: 'reading the flow',
    subject: JSON.stringify(text),
    why,
    hint: FORM,
  });
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

const PRINTED_PROTOCOLS: ReadonlyMap<string, number> = new Map(
  Object.entries({
    icmp: 1,
    igmp: 2,
    tcp: 6,
    udp: 17,
    dccp: 33,
    gre: 47,
    esp: 50,
    icmpv6: 58,
    icmp6: 58,
    sctp: 132,
    'udp-lite': 136,
  }),
);

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
  if (arrow < 1 || words.length !== 4) throw cannot(text, 'not one flow');
  const protocolWord = (arrow === 2 ? words[0] : words[3]) ?? '';
  const protocol = PRINTED_PROTOCOLS.get(protocolWord.toLowerCase());
  if (protocol === undefined) throw cannot(text, `"${protocolWord}" is no protocol`);
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
  const transports: readonly number[] = Object.values(TRANSPORTS);
  if (transports.includes(protocol) !== (source.port !== undefined && destination.port !== undefined)) {
    throw cannot(
      text,
      transports.includes(protocol) ? 'both ends need a port' : 'this protocol has no ports',
    );
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
