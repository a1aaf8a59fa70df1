import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Flow, flowText, parseFlow, protocolName } from './flow.js';

const IPV4 = 0x0800;
const IPV6 = 0x86dd;
const ARP = 0x0806;

const word = (value: number): number[] => [value >> 8, value & 0xff];
const ports = [...word(1000), ...word(9999)];

/** An IPv4 header from 10.0.0.2 to 10.0.0.1, with options to fill `headerWords`. */
function ipv4(protocol: number, rest: readonly number[], fragment = 0, headerWords = 5): Uint8Array {
  return Uint8Array.from([
    0x40 | headerWords,
    0,
    0,
    28,
    0,
    1,
    ...word(fragment),
    64,
    protocol,
    0,
    0,
    10,
    0,
    0,
    2,
    10,
    0,
    0,
    1,
    ...Array<number>((headerWords - 5) * 4).fill(1),
    ...rest,
  ]);
}

const SOURCE6 = [0x20, 0x01, 0x0d, 0xb8, ...Array<number>(11).fill(0), 2];
const DESTINATION6 = [0x20, 0x01, 0x0d, 0xb8, ...Array<number>(11).fill(0), 1];

function ipv6(next: number, rest: readonly number[]): Uint8Array {
  return Uint8Array.from([0x60, 0, 0, 0, 0, 8, next, 64, ...SOURCE6, ...DESTINATION6, ...rest]);
}

const ends = { source: '10.0.0.2', destination: '10.0.0.1' };
const ends6 = { source: '2001:db8::2', destination: '2001:db8::1' };
const withPorts = { sourcePort: 1000, destinationPort: 9999 };

describe('the flow of an IPv4 packet', () => {
  it.each([
    ['TCP', 6],
    ['UDP', 17],
    ['DCCP', 33],
    ['SCTP', 132],
    ['UDP-Lite', 136],
  ])('of %s has ports', (name, protocol) => {
    const flow = parseFlow(ipv4(protocol, ports), IPV4, 0);
    expect(flow).toEqual({ ethertype: IPV4, family: 'IPv4', protocol, ...ends, ...withPorts });
    expect(flowText(flow)).toBe(`10.0.0.2:1000 → 10.0.0.1:9999 ${name}`);
  });

  it('finds the ports behind options', () => {
    expect(parseFlow(ipv4(17, ports, 0, 7), IPV4, 0)).toMatchObject(withPorts);
  });

  it('of ICMP has type and code', () => {
    const flow = parseFlow(ipv4(1, [8, 0, 1, 2]), IPV4, 0);
    expect(flow).toMatchObject({ protocol: 1, icmp: [8, 0] });
    expect(flowText(flow)).toBe('10.0.0.2 → 10.0.0.1 ICMP type 8');
  });

  it('of a first fragment has ports, of a later one none', () => {
    const first = parseFlow(ipv4(17, ports, 0x2000), IPV4, 0);
    expect(first).toMatchObject(withPorts);
    expect(first.fragment).toBeUndefined();
    const later = parseFlow(ipv4(17, ports, 0x2001), IPV4, 0);
    expect(later.sourcePort).toBeUndefined();
    expect(later.fragment).toBe(true);
    expect(flowText(later)).toBe('10.0.0.2 → 10.0.0.1 UDP fragment');
  });

  it('of another protocol has addresses only', () => {
    expect(flowText(parseFlow(ipv4(47, []), IPV4, 0))).toBe('10.0.0.2 → 10.0.0.1 GRE');
    expect(flowText(parseFlow(ipv4(254, []), IPV4, 0))).toBe('10.0.0.2 → 10.0.0.1 proto 254');
    expect(protocolName(254)).toBe('proto 254');
  });

  it('reads no ports from a header that is shorter than a header can be', () => {
    const flow = parseFlow(
      ipv4(17, ports, 0, 5).map((byte, i) => (i === 0 ? 0x41 : byte)),
      IPV4,
      0,
    );
    expect(flow.sourcePort).toBeUndefined();
  });
});

describe('the flow of an IPv6 packet', () => {
  it('has ports, in brackets as text', () => {
    const flow = parseFlow(ipv6(17, ports), IPV6, 0);
    expect(flow).toEqual({ ethertype: IPV6, family: 'IPv6', protocol: 17, ...ends6, ...withPorts });
    expect(flowText(flow)).toBe('[2001:db8::2]:1000 → [2001:db8::1]:9999 UDP');
  });

  it('of ICMPv6 has type and code', () => {
    expect(parseFlow(ipv6(58, [135, 0]), IPV6, 0)).toMatchObject({ protocol: 58, icmp: [135, 0] });
  });

  it.each([
    ['hop-by-hop options', 0],
    ['routing', 43],
    ['destination options', 60],
    ['mobility', 135],
  ])('goes on behind %s', (_, header) => {
    const long = [17, 1, ...Array<number>(14).fill(0)];
    expect(parseFlow(ipv6(header, [...long, ...ports]), IPV6, 0)).toMatchObject({
      protocol: 17,
      ...withPorts,
    });
  });

  it('goes on behind a chain of them', () => {
    const chain = [60, 0, 0, 0, 0, 0, 0, 0, 44, 0, 0, 0, 0, 0, 0, 0, 17, 0, 0, 1, 0, 0, 0, 9];
    expect(parseFlow(ipv6(0, [...chain, ...ports]), IPV6, 0)).toMatchObject({ protocol: 17, ...withPorts });
  });

  it('of a later fragment has no ports', () => {
    const flow = parseFlow(ipv6(44, [17, 0, ...word(8 | 1), 0, 0, 0, 9, ...ports]), IPV6, 0);
    expect(flow).toMatchObject({ protocol: 17, fragment: true });
    expect(flow.sourcePort).toBeUndefined();
  });

  it('says that it is truncated when an extension header runs out of the captured bytes', () => {
    const flow = parseFlow(ipv6(0, [17, 3, 0, 0, 0, 0, 0, 0]), IPV6, 0);
    expect(flow).toMatchObject({ ...ends6, protocol: 17, truncated: true });
  });
});

describe('VLAN tags', () => {
  it('that the NIC took out are taken from the skb, priority bits left aside', () => {
    const flow = parseFlow(ipv4(17, ports), IPV4, 0xe000 | 42);
    expect(flow).toMatchObject({ ethertype: IPV4, vlan: 42, ...withPorts });
    expect(flowText(flow)).toBe('vlan 42 10.0.0.2:1000 → 10.0.0.1:9999 UDP');
  });

  it('that are still in the packet are skipped', () => {
    const tagged = Uint8Array.from([...word(42), ...word(IPV4), ...ipv4(17, ports)]);
    expect(parseFlow(tagged, 0x8100, 0)).toMatchObject({ ethertype: IPV4, vlan: 42, ...withPorts });
  });

  it('may be two, the outer one counts', () => {
    const inner = [...word(7), ...word(0x8100), ...word(42), ...word(IPV4), ...ipv4(17, ports)];
    expect(parseFlow(Uint8Array.from(inner), 0x88a8, 0)).toMatchObject({ vlan: 7, ...withPorts });
    const behindStripped = [...word(42), ...word(IPV4), ...ipv4(17, ports)];
    expect(parseFlow(Uint8Array.from(behindStripped), 0x8100, 7)).toMatchObject({ vlan: 7, ...withPorts });
  });

  it('of priority alone are no VLAN', () => {
    expect(parseFlow(ipv4(17, ports), IPV4, 0xe000).vlan).toBeUndefined();
  });
});

describe('other packets', () => {
  it('of ARP say who asks for whom', () => {
    const arp = (operation: number): Uint8Array =>
      Uint8Array.from([
        0,
        1,
        8,
        0,
        6,
        4,
        0,
        operation,
        2,
        0,
        0,
        0,
        0,
        2,
        10,
        0,
        0,
        2,
        0,
        0,
        0,
        0,
        0,
        0,
        10,
        0,
        0,
        1,
      ]);
    expect(flowText(parseFlow(arp(1), ARP, 0))).toBe('ARP who-has 10.0.0.1 tell 10.0.0.2');
    expect(flowText(parseFlow(arp(2), ARP, 0))).toBe('ARP is-at 10.0.0.2');
    expect(parseFlow(arp(1).subarray(0, 27), ARP, 0)).toEqual({
      ethertype: ARP,
      family: 'ARP',
      truncated: true,
    });
  });

  it('of unknown kinds show their ethertype', () => {
    expect(flowText(parseFlow(new Uint8Array(48), 0x88cc, 0))).toBe('ethertype 0x88cc');
    expect(flowText(parseFlow(new Uint8Array(0), 4, 3))).toBe('vlan 3 ethertype 0x0004');
  });

  it('that start at the Ethernet header are read behind it', () => {
    const frame = Uint8Array.from([...Array<number>(12).fill(0xff), ...word(IPV4), ...ipv4(17, ports)]);
    expect(parseFlow(frame, 0, 0, true)).toMatchObject({ ethertype: IPV4, ...ends, ...withPorts });
  });
});

const samples: readonly (readonly [string, Uint8Array, number])[] = [
  ['UDP over IPv4', ipv4(17, ports), IPV4],
  ['ICMP over IPv4', ipv4(1, [8, 0]), IPV4],
  ['UDP over IPv6', ipv6(17, ports), IPV6],
  ['UDP behind hop-by-hop options', ipv6(0, [17, 0, 0, 0, 0, 0, 0, 0, ...ports]), IPV6],
  ['UDP in a VLAN', Uint8Array.from([...word(42), ...word(IPV4), ...ipv4(17, ports)]), 0x8100],
];

describe('a truncated packet', () => {
  it.each(samples)('of %s never shows what the whole one does not have, at any length', (_, bytes, type) => {
    const whole = parseFlow(bytes, type, 0);
    expect(whole.truncated).toBeUndefined();
    for (let length = 0; length < bytes.length; length++) {
      const cut = parseFlow(bytes.subarray(0, length), type, 0);
      const known: Partial<Flow> = { ...cut };
      delete (known as { truncated?: boolean }).truncated;
      // The last extension header or tag that is there is told as such.
      if (cut.protocol !== undefined && cut.protocol !== whole.protocol) {
        expect(bytes.length - length).toBeGreaterThan(ports.length);
        delete (known as { protocol?: number }).protocol;
      }
      if (cut.ethertype === whole.ethertype) {
        expect(whole).toMatchObject(known);
        expect(cut.truncated).toBe(true);
      }
      expect(flowText(cut)).not.toContain('undefined');
    }
  });

  it('of random bytes never throws and never shows an undefined', () => {
    const types = fc.oneof(fc.constantFrom(IPV4, IPV6, ARP, 0x8100, 0x88a8), fc.nat(0xffff));
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 48 }),
        types,
        fc.nat(0xffff),
        fc.boolean(),
        (bytes, type, tag, at) => {
          const text = flowText(parseFlow(bytes, type, tag, at));
          expect(text).not.toMatch(/undefined|NaN/);
          expect(text.length).toBeGreaterThan(0);
        },
      ),
      { numRuns: 3000 },
    );
  });
});
