/**
 * The part of the pcap-filter language that one n-tuple rule can say: fields joined by `and`. What a rule cannot say
 * (or, not, ranges, a port on either side) is an error that names what can be said.
 */
import type { Mutable } from '../base/mutable.js';
import { parseAddress } from '../packet/address.js';
import {
  type FlowSpec,
  type Match,
  TRANSPORTS,
  addressBits,
  ones,
  toBigint,
  unreadable,
} from './flow-spec.js';

const CAN_SAY =
  'say it with: ip, ip6, arp, tcp, udp, sctp, icmp, icmp6, ip proto N, ether proto N, vlan ID, src|dst host ADDR, src|dst net ADDR/LEN, src|dst port N, joined by and';

const PROTOCOLS: ReadonlyMap<string, number> = new Map(
  Object.entries({
    ...TRANSPORTS,
    icmp: 1,
    icmp6: 58,
    igmp: 2,
    gre: 47,
    esp: 50,
    ah: 51,
  }),
);
const ETHERTYPES: ReadonlyMap<string, number> = new Map(
  Object.entries({ ip: 0x0800, ip6: 0x86dd, arp: 0x0806, rarp: 0x8035 }),
);
/** Words of the language that no rule can say, with the reason. */
const NOT_IN_RULES: ReadonlyMap<string, string> = new Map(
  Object.entries({
    or: 'a rule cannot say "or": its fields must all match',
    '||': 'a rule cannot say "or": its fields must all match',
    not: 'a rule cannot say "not"',
    '!': 'a rule cannot say "not"',
    portrange: 'a rule cannot say a range of ports',
    host: 'a rule needs the side: src host or dst host',
    port: 'a rule needs the side: src port or dst port',
    net: 'a rule needs the side: src net or dst net',
    less: 'a rule knows no lengths',
    greater: 'a rule knows no lengths',
    len: 'a rule knows no lengths',
    broadcast: 'a rule cannot say it',
    multicast: 'a rule cannot say it',
  }),
);

class Parser {
  private readonly text: string;
  private readonly words: string[];
  private readonly spec: Mutable<FlowSpec> = {};

  constructor(text: string) {
    this.text = text;
    this.words = text
      .replaceAll('&&', ' and ')
      .trim()
      .toLowerCase()
      .split(/\s+/)
      .filter((word) => word !== '');
  }

  parse(): FlowSpec {
    if (this.words.length === 0) throw this.no('it is empty');
    if (/[()[\]]/.test(this.text)) throw this.no('a rule has no parentheses and no byte offsets');
    for (;;) {
      this.term();
      const next = this.words.shift();
      if (next === undefined) break;
      if (next !== 'and') throw this.no(NOT_IN_RULES.get(next) ?? `"${next}" where "and" was expected`);
      if (this.words.length === 0) throw this.no('nothing comes after the last "and"');
    }
    this.check();
    return this.spec;
  }

  private no(why: string): ReturnType<typeof unreadable> {
    return unreadable(this.text, why, CAN_SAY);
  }

  private set<K extends keyof FlowSpec>(key: K, value: NonNullable<FlowSpec[K]>, words: string): void {
    const before = this.spec[key];
    const text = (one: number | Match): string =>
      typeof one === 'object' ? `${one.value}/${one.mask}` : `${one}`;
    if (before !== undefined && text(before) !== text(value)) {
      throw this.no(`two different values for ${words}: no packet has both`);
    }
    (this.spec as Record<string, unknown>)[key] = value;
  }

  private number(words: string, least: number, most: number): number {
    const word = this.words.shift();
    if (word === undefined) throw this.no(`${words} without a number`);
    const value = /^(0x[0-9a-f]+|\d+)$/.test(word) ? Number(word) : Number.NaN;
    if (value >= least && value <= most) return value;
    throw this.no(`${words} "${word}" is not a number from ${least} to ${most}`);
  }

  /** One term; the words in front of a side (`udp dst port`) are terms of their own here. */
  private term(): void {
    const word = this.words.shift() ?? '';
    if (word === 'src' || word === 'dst') return this.side(word);
    if (word === 'vlan') return this.set('vlan', this.number('vlan', 1, 4094), 'vlan');
    if (word === 'ether') return this.ether();
    if (word === 'proto') return this.protocol();
    if (NOT_IN_RULES.has(word)) throw this.no(NOT_IN_RULES.get(word) ?? '');
    this.named(word);
    // `ip proto 17`, `udp dst port 9`, `ip src host A`: the qualifier is followed by what it qualifies.
    const next = this.words[0];
    if (next === 'src' || next === 'dst' || (next === 'proto' && (word === 'ip' || word === 'ip6')))
      this.term();
    else if (next !== undefined && next !== 'and' && NOT_IN_RULES.has(next))
      throw this.no(NOT_IN_RULES.get(next) ?? '');
  }

  private named(word: string): void {
    if (word === 'ip' || word === 'ip6') return this.set('family', word === 'ip' ? 4 : 6, 'the IP version');
    if (word === 'arp' || word === 'rarp')
      return this.set('ethertype', ETHERTYPES.get(word) ?? 0, 'ether proto');
    const protocol = PROTOCOLS.get(word);
    if (protocol === undefined || word === 'esp' || word === 'ah') {
      throw this.no(`"${word}" is nothing that a rule can say`);
    }
    if (word === 'icmp') this.set('family', 4, 'the IP version');
    if (word === 'icmp6') this.set('family', 6, 'the IP version');
    this.set('protocol', protocol, 'the protocol');
  }

  private protocol(): void {
    const word = (this.words[0] ?? '').replace(/^\\/, '');
    const named = PROTOCOLS.get(word);
    if (named !== undefined) this.words.shift();
    this.set('protocol', named ?? this.number('proto', 0, 255), 'the protocol');
  }

  private ether(): void {
    const word = this.words.shift();
    if (word !== 'proto')
      throw this.no(`"ether ${word ?? ''}" cannot be checked on received packets; only ether proto can`);
    const name = (this.words[0] ?? '').replace(/^\\/, '');
    const named = ETHERTYPES.get(name);
    if (named !== undefined) this.words.shift();
    const type = named ?? this.number('ether proto', 0x0600, 0xffff);
    if (type === ETHERTYPES.get('ip') || type === ETHERTYPES.get('ip6')) {
      this.set('family', type === ETHERTYPES.get('ip') ? 4 : 6, 'the IP version');
    } else this.set('ethertype', type, 'ether proto');
  }

  private side(side: 'src' | 'dst'): void {
    const kind = this.words.shift();
    if (kind === 'port') {
      const value = { value: BigInt(this.number(`${side} port`, 0, 65_535)), mask: ones(16) };
      return this.set(side === 'src' ? 'sourcePort' : 'destinationPort', value, `${side} port`);
    }
    if (kind === 'portrange') throw this.no(NOT_IN_RULES.get('portrange') ?? '');
    if (kind === 'and' || kind === 'or') throw this.no(`after ${side} comes host, net or port`);
    const text = kind === 'host' || kind === 'net' ? this.words.shift() : kind;
    if (text === undefined) throw this.no(`${side} ${kind ?? ''} without an address`.replace('  ', ' '));
    const [address = '', length] = text.split('/');
    const bytes = parseAddress(address);
    if (bytes === undefined) throw this.no(`"${address}" is not an IP address (names are not looked up)`);
    const family = bytes.length === 4 ? 4 : 6;
    const bits = addressBits(family);
    if (length === undefined && kind === 'net') throw this.no(`${side} net needs a length: ${address}/24`);
    const prefix = length === undefined ? bits : /^\d+$/.test(length) ? Number(length) : -1;
    if (prefix < 0 || prefix > bits) throw this.no(`"/${length}" is not a length from 0 to ${bits}`);
    const mask = ones(prefix) << BigInt(bits - prefix);
    const value = toBigint(bytes);
    if ((value & mask) !== value) throw this.no(`${text} has bits beyond its length`);
    this.set('family', family, 'the IP version');
    if (prefix > 0) this.set(side === 'src' ? 'source' : 'destination', { value, mask }, `${side} address`);
  }

  private check(): void {
    const { family, ethertype, protocol, sourcePort, destinationPort } = this.spec;
    const ports = sourcePort !== undefined || destinationPort !== undefined;
    if (ethertype !== undefined && (family !== undefined || protocol !== undefined || ports)) {
      throw this.no(`no packet with ether proto 0x${ethertype.toString(16)} has an IP header`);
    }
    const transports: readonly number[] = Object.values(TRANSPORTS);
    if (ports && protocol !== undefined && !transports.includes(protocol)) {
      throw this.no('only tcp, udp and sctp have ports');
    }
  }
}

/** Reads an expression. @throws RxError RXS_FLOW naming what a rule can say */
export function parseFlowExpression(text: string): FlowSpec {
  return new Parser(text).parse();
}
