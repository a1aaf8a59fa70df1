/**
 * The settings of a NIC that decide to which receive queue a packet goes: hash table, hash fields, n-tuple rules and
 * their feature flag. Reads give the value or the driver's reason; writes give the reason or undefined when accepted.
 * Accepted is all that it says: some drivers accept what changes nothing.
 */
import { type Answer, known, unknown } from '../base/answer.js';
import { cText } from '../base/c-text.js';
import { ETHTOOL, type EthtoolCall, refusal } from './ethtool-ioctl.js';

/** The receive-side scaling of an interface, or of one of its contexts. */
export interface Rss {
  /** Queue by hash, at the hash's low bits. */
  readonly table: readonly number[];
  /** Hash key; empty where the driver does not give it out. */
  readonly key: Uint8Array;
  /** ETH_RSS_HASH_* bit of the hash function: 1 Toeplitz, 2 XOR, 4 CRC32; 0: the driver does not say. */
  readonly hashFunction: number;
  /** RXH_XFRM_* of what is done to the hash's input; 0: nothing. */
  readonly transform: number;
}

/** A netdev feature. */
export interface Feature {
  readonly on: boolean;
  /** The driver lets it be changed. */
  readonly changeable: boolean;
}

/** The n-tuple rules of an interface, as the kernel's struct ethtool_rx_flow_spec. */
export interface RuleList {
  /** Locations are from 0 to this; 0: the driver does not say. */
  readonly size: number;
  /** The driver picks the location itself. */
  readonly picksLocation: boolean;
  readonly rules: readonly Uint8Array[];
}

/** A counter of the driver: name and value. */
export type Counter = readonly [string, number];

/** What can be asked of a NIC and told to it. */
export interface NicSettings {
  /** Receive rings that hashing may use. */
  rings(): Answer<number>;
  rss(context?: number): Answer<Rss>;
  /** Sets the table of the default context; an empty table gives the driver's default back. Key and function stay. */
  setTable(table: readonly number[]): string | undefined;
  /** RXH_* bits that the hash of a flow type covers. */
  hashFields(flowType: number): Answer<number>;
  setHashFields(flowType: number, fields: number): string | undefined;
  ntuple(): Answer<Feature>;
  setNtuple(on: boolean): string | undefined;
  rules(): Answer<RuleList>;
  /** Inserts a rule at the location that it carries; gives the location that it got. */
  insertRule(rule: Uint8Array): Answer<number>;
  deleteRule(location: number): string | undefined;
  /** The driver's own counters in its order; names may repeat. */
  statistics(): Answer<readonly Counter[]>;
}

/** struct ethtool_rx_flow_spec; tests compare it with the kernel's header. */
export const FLOW_SPEC = {
  flowType: 0,
  header: 4,
  extension: 56,
  headerMask: 76,
  extensionMask: 128,
  ringCookie: 152,
  location: 160,
  SIZE: 168,
} as const;

/** struct ethtool_rxnfc, without the list of locations behind it. */
export const RXNFC = {
  flowType: 4,
  data: 8,
  rule: 16,
  ruleCount: 184,
  locations: 188,
  SIZE: 192,
} as const;

/** struct ethtool_rxfh. */
export const RXFH = {
  context: 4,
  tableSize: 8,
  keySize: 12,
  hashFunction: 16,
  transform: 17,
  config: 24,
} as const;

const SET_STATS = 1;
const SET_FEATURES = 4;
const STRING_SIZE = 32;
const LOCATION_SPECIAL = 0x8000_0000;
const NTUPLE = 'rx-ntuple-filter';

function command(number: number, size: number): { readonly bytes: Uint8Array; readonly view: DataView } {
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, number, true);
  return { bytes, view };
}

const no = (what: string, errno: number): { readonly known: false; readonly why: string } =>
  unknown(`${what}: ${refusal(errno)}`);

/** The settings of an interface, through its ethtool calls. */
export class EthtoolSettings implements NicSettings {
  private readonly call: EthtoolCall;

  constructor(call: EthtoolCall) {
    this.call = call;
  }

  rings(): Answer<number> {
    const { bytes, view } = command(ETHTOOL.GRXRINGS, RXNFC.SIZE);
    const errno = this.call(bytes);
    if (errno !== 0) return no('number of receive rings', errno);
    return known(Number(view.getBigUint64(RXNFC.data, true)));
  }

  rss(context = 0): Answer<Rss> {
    const sizes = command(ETHTOOL.GRSSH, RXFH.config);
    sizes.view.setUint32(RXFH.context, context, true);
    let errno = this.call(sizes.bytes);
    if (errno !== 0) return no('RSS table', errno);
    const entries = sizes.view.getUint32(RXFH.tableSize, true);
    const keyBytes = sizes.view.getUint32(RXFH.keySize, true);
    const { bytes, view } = command(ETHTOOL.GRSSH, RXFH.config + entries * 4 + keyBytes);
    view.setUint32(RXFH.context, context, true);
    view.setUint32(RXFH.tableSize, entries, true);
    view.setUint32(RXFH.keySize, keyBytes, true);
    errno = this.call(bytes);
    if (errno !== 0) return no('RSS table', errno);
    return known({
      table: Array.from({ length: entries }, (_, i) => view.getUint32(RXFH.config + i * 4, true)),
      key: bytes.slice(RXFH.config + entries * 4),
      hashFunction: view.getUint8(RXFH.hashFunction),
      transform: view.getUint8(RXFH.transform),
    });
  }

  setTable(table: readonly number[]): string | undefined {
    const now = this.rss();
    if (!now.known) return now.why;
    const { bytes, view } = command(ETHTOOL.SRSSH, RXFH.config + table.length * 4);
    view.setUint32(RXFH.tableSize, table.length, true);
    // Since 6.8 zero means "no transformation"; before, the byte was reserved and read as zero.
    view.setUint8(RXFH.transform, now.value.transform);
    for (const [i, queue] of table.entries()) view.setUint32(RXFH.config + i * 4, queue, true);
    return this.write('setting the RSS table', bytes);
  }

  hashFields(flowType: number): Answer<number> {
    const { bytes, view } = command(ETHTOOL.GRXFH, RXNFC.SIZE);
    view.setUint32(RXNFC.flowType, flowType, true);
    const errno = this.call(bytes);
    return errno !== 0
      ? no('hash fields', errno)
      : known(Number(view.getBigUint64(RXNFC.data, true) & 0xffff_ffffn));
  }

  setHashFields(flowType: number, fields: number): string | undefined {
    const { bytes, view } = command(ETHTOOL.SRXFH, RXNFC.SIZE);
    view.setUint32(RXNFC.flowType, flowType, true);
    view.setBigUint64(RXNFC.data, BigInt(fields), true);
    return this.write('setting the hash fields', bytes);
  }

  ntuple(): Answer<Feature> {
    const index = this.strings(SET_FEATURES).indexOf(NTUPLE);
    if (index < 0) return unknown(`the kernel has no feature ${NTUPLE}`);
    const blocks = Math.floor(index / 32) + 1;
    const { bytes, view } = command(ETHTOOL.GFEATURES, 8 + blocks * 16);
    view.setUint32(4, blocks, true);
    const errno = this.call(bytes);
    if (errno !== 0) return no(NTUPLE, errno);
    const block = 8 + (blocks - 1) * 16;
    const bit = (offset: number): boolean =>
      ((view.getUint32(block + offset, true) >>> (index % 32)) & 1) === 1;
    return known({ changeable: bit(0), on: bit(8) });
  }

  setNtuple(on: boolean): string | undefined {
    const index = this.strings(SET_FEATURES).indexOf(NTUPLE);
    if (index < 0) return `the kernel has no feature ${NTUPLE}`;
    const blocks = Math.floor(index / 32) + 1;
    const { bytes, view } = command(ETHTOOL.SFEATURES, 8 + blocks * 8);
    view.setUint32(4, blocks, true);
    const block = 8 + (blocks - 1) * 8;
    const bit = (1 << (index % 32)) >>> 0;
    view.setUint32(block, bit, true);
    view.setUint32(block + 4, on ? bit : 0, true);
    return this.write(`switching n-tuple rules ${on ? 'on' : 'off'}`, bytes);
  }

  rules(): Answer<RuleList> {
    const count = command(ETHTOOL.GRXCLSRLCNT, RXNFC.SIZE);
    let errno = this.call(count.bytes);
    if (errno !== 0) return no('n-tuple rules', errno);
    const room = count.view.getUint32(RXNFC.ruleCount, true);
    const special = count.view.getUint32(RXNFC.data, true);
    const all = command(ETHTOOL.GRXCLSRLALL, RXNFC.SIZE + room * 4);
    all.view.setUint32(RXNFC.ruleCount, room, true);
    errno = this.call(all.bytes);
    if (errno !== 0) return no('n-tuple rules', errno);
    const found = Math.min(room, all.view.getUint32(RXNFC.ruleCount, true));
    const size = all.view.getUint32(RXNFC.data, true) & ~LOCATION_SPECIAL;
    const rules: Uint8Array[] = [];
    for (let i = 0; i < found; i++) {
      const location = all.view.getUint32(RXNFC.locations + i * 4, true);
      const one = command(ETHTOOL.GRXCLSRULE, RXNFC.SIZE);
      one.view.setUint32(RXNFC.rule + FLOW_SPEC.location, location, true);
      errno = this.call(one.bytes);
      if (errno !== 0) return no(`n-tuple rule ${location}`, errno);
      const rule = one.bytes.slice(RXNFC.rule, RXNFC.rule + FLOW_SPEC.SIZE);
      // Not every driver fills it in.
      new DataView(rule.buffer).setUint32(FLOW_SPEC.location, location, true);
      rules.push(rule);
    }
    return known({ size, picksLocation: (special & LOCATION_SPECIAL) !== 0, rules });
  }

  insertRule(rule: Uint8Array): Answer<number> {
    const { bytes, view } = command(ETHTOOL.SRXCLSRLINS, RXNFC.SIZE);
    bytes.set(rule, RXNFC.rule);
    const errno = this.call(bytes);
    if (errno !== 0) return no('inserting the n-tuple rule', errno);
    return known(view.getUint32(RXNFC.rule + FLOW_SPEC.location, true));
  }

  deleteRule(location: number): string | undefined {
    const { bytes, view } = command(ETHTOOL.SRXCLSRLDEL, RXNFC.SIZE);
    view.setUint32(RXNFC.rule + FLOW_SPEC.location, location, true);
    return this.write(`deleting the n-tuple rule at ${location}`, bytes);
  }

  statistics(): Answer<readonly Counter[]> {
    const names = this.strings(SET_STATS);
    if (names.length === 0) return unknown('the driver has no counters of its own');
    const { bytes, view } = command(ETHTOOL.GSTATS, 8 + names.length * 8);
    view.setUint32(4, names.length, true);
    const errno = this.call(bytes);
    if (errno !== 0) return no('counters', errno);
    return known(names.map((name, i): Counter => [name, Number(view.getBigUint64(8 + i * 8, true))]));
  }

  private write(what: string, bytes: Uint8Array): string | undefined {
    const errno = this.call(bytes);
    return errno !== 0 ? `${what}: ${refusal(errno)}` : undefined;
  }

  /** A set of names; empty where there is none. */
  private strings(set: number): string[] {
    const info = command(ETHTOOL.GSSET_INFO, 20);
    info.view.setBigUint64(8, 1n << BigInt(set), true);
    if (this.call(info.bytes) !== 0 || info.view.getBigUint64(8, true) === 0n) return [];
    const count = info.view.getUint32(16, true);
    const { bytes, view } = command(ETHTOOL.GSTRINGS, 12 + count * STRING_SIZE);
    view.setUint32(4, set, true);
    view.setUint32(8, count, true);
    if (this.call(bytes) !== 0) return [];
    return Array.from({ length: count }, (_, i) => {
      const at = 12 + i * STRING_SIZE;
      return cText(bytes.subarray(at, at + STRING_SIZE)).trim();
    });
  }
}
