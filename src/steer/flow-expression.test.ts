import { describe, expect, it } from 'vitest';
import { RxError } from '../base/errors.js';
import { parseFlow } from '../packet/flow.js';
import { udpFrame, vlanTagged } from '../../lab/frames.js';
import { parseExactFlow } from './exact-flow.js';
import { parseFlowExpression } from './flow-expression.js';
import { type FlowSpec, matches, overlaps, specText } from './flow-spec.js';

function refusal(read: () => FlowSpec): string {
  try {
    return `accepted: ${specText(read())}`;
  } catch (error) {
    return error instanceof RxError ? error.toLine() : String(error);
  }
}

describe('a flow expression', () => {
  it.each([
    ['udp dst port 9999', 'udp and dst port 9999'],
    ['udp and dst port 9999', 'udp and dst port 9999'],
    ['udp && dst port 9999 && udp', 'udp and dst port 9999'],
    ['TCP src port 80 and ip dst host 10.0.0.1', 'ip and tcp and dst host 10.0.0.1 and src port 80'],
    ['src 10.0.0.1', 'ip and src host 10.0.0.1'],
    ['src 10.0.0.0/8', 'ip and src net 10.0.0.0/8'],
    ['dst net 10.0.0.0/24', 'ip and dst net 10.0.0.0/24'],
    ['ip6 dst host fd77::1', 'ip6 and dst host fd77::1'],
    ['dst net fd00::/8', 'ip6 and dst net fd00::/8'],
    ['ip proto 47', 'ip and ip proto 47'],
    ['ip proto \\udp', 'ip and udp'],
    ['ip6 proto 17 and dst port 5', 'ip6 and udp and dst port 5'],
    ['icmp', 'ip and icmp'],
    ['icmp6', 'ip6 and icmp6'],
    ['ether proto 0x88f7', 'ether proto 0x88f7'],
    ['ether proto \\ip6', 'ip6'],
    ['arp', 'ether proto 0x0806'],
    ['vlan 100 and udp', 'vlan 100 and udp'],
    ['sctp dst port 1', 'sctp and dst port 1'],
    ['dst net 0.0.0.0/0', 'ip'],
  ])('%j is %j', (text, spec) => {
    expect(specText(parseFlowExpression(text))).toBe(spec);
    // What it is in words is an expression again, and the same one.
    expect(
      parseFlowExpression(spec.replace('ip and ip proto', 'ip proto').replace('ip and icmp', 'icmp')),
    ).toEqual(parseFlowExpression(text));
  });

  it.each([
    ['', /it is empty/],
    ['udp or tcp', /cannot say "or"/],
    ['not udp', /cannot say "not"/],
    ['port 53', /src port or dst port/],
    ['udp port 53', /src port or dst port/],
    ['host 10.0.0.1', /src host or dst host/],
    ['udp dst portrange 1-5', /range of ports/],
    ['src or dst port 5', /after src comes host, net or port/],
    ['(udp)', /no parentheses/],
    ['udp[0] = 1', /no parentheses and no byte offsets/],
    ['udp and', /nothing comes after/],
    ['udp tcp', /"tcp" where "and" was expected/],
    ['udp and tcp', /two different values for the protocol/],
    ['dst port 1 and dst port 2', /two different values for dst port/],
    ['dst port 65536', /from 0 to 65535/],
    ['dst port http', /is not a number/],
    ['dst port', /without a number/],
    ['src host example.org', /names are not looked up/],
    ['src host 10.0.0.256', /not an IP address/],
    ['src host', /without an address/],
    ['src net 10.0.0.0', /needs a length/],
    ['src net 10.0.0.1/8', /bits beyond its length/],
    ['src net 10.0.0.0/33', /not a length from 0 to 32/],
    ['ip src host fd77::1', /two different values for the IP version/],
    ['ip6 and icmp', /two different values for the IP version/],
    ['arp and dst port 5', /has an IP header/],
    ['icmp and dst port 5', /only tcp, udp and sctp have ports/],
    ['vlan', /without a number/],
    ['vlan 4095', /from 1 to 4094/],
    ['ether src 00:11:22:33:44:55', /only ether proto/],
    ['less 100', /knows no lengths/],
    ['banana', /nothing that a rule can say/],
    ['constructor', /nothing that a rule can say/],
  ])('%j is refused with what can be said', (text, words) => {
    const line = refusal(() => parseFlowExpression(text));
    expect(line).toMatch(/^RXS_FLOW: reading the flow ".*": .*\. hint: say it with: ip, ip6, /);
    expect(line).toMatch(words);
  });
});

describe('one exact flow', () => {
  const form = 'ip and udp and src host 10.0.0.2 and dst host 10.0.0.1 and src port 1000 and dst port 9999';

  it.each([
    ['udp 10.0.0.2:1000 > 10.0.0.1:9999', form],
    ['10.0.0.2:1000 → 10.0.0.1:9999 UDP', form],
    ['UDP 10.0.0.2:1000->10.0.0.1:9999', form],
    ['vlan 5 10.0.0.2:1000 → 10.0.0.1:9999 UDP', `vlan 5 and ${form}`],
    [
      '[fd77::2]:1 → [fd77::1]:2 TCP',
      'ip6 and tcp and src host fd77::2 and dst host fd77::1 and src port 1 and dst port 2',
    ],
    ['10.0.0.2 → 10.0.0.1 ICMP', 'ip and icmp and src host 10.0.0.2 and dst host 10.0.0.1'],
    ['fd77::2 → fd77::1 ICMPv6', 'ip6 and icmp6 and src host fd77::2 and dst host fd77::1'],
  ])('%j is read', (text, spec) => {
    expect(specText(parseExactFlow(text))).toBe(spec);
  });

  it.each([
    ['', /not one flow/],
    ['udp dst port 9999', /not one flow/],
    ['udp 10.0.0.2 > 10.0.0.1', /both ends need a port/],
    ['icmp 10.0.0.2:1 > 10.0.0.1:2', /has no ports/],
    ['udp 10.0.0.2:1 > [fd77::1]:2', /different IP versions/],
    ['udp 10.0.0.2:70000 > 10.0.0.1:2', /no address with a port/],
    ['banana 10.0.0.2:1 > 10.0.0.1:2', /is no protocol/],
    ['constructor 10.0.0.2:1 > 10.0.0.1:2', /is no protocol/],
    ['vlan x 10.0.0.2:1 > 10.0.0.1:2 UDP', /ID from 1 to 4094/],
  ])('%j is refused with the form', (text, words) => {
    const line = refusal(() => parseExactFlow(text));
    expect(line).toMatch(/^RXS_FLOW: .*\. hint: write it like udp 10\.0\.0\.2:1000 > 10\.0\.0\.1:9999/);
    expect(line).toMatch(words);
  });
});

describe('the same words on packets', () => {
  const packet = (port: number, sourcePort = 1000, target?: string): ReturnType<typeof parseFlow> =>
    parseFlow(
      udpFrame({ sourcePort, port, payload: Buffer.alloc(4), ...(target ? { target } : {}) }),
      0,
      0,
      true,
    );

  it.each([
    ['udp dst port 9999', true],
    ['dst port 9999', true],
    ['udp src port 9999', false],
    ['tcp dst port 9999', false],
    ['dst host 10.77.0.1 and src net 10.77.0.0/24', true],
    ['dst host 10.77.0.3', false],
    ['dst net 10.76.0.0/15', true],
    ['ip6', false],
    ['arp', false],
    ['ether proto \\ip', true],
    ['vlan 5', false],
  ])('%j: %s', (text, expected) => {
    expect(matches(parseFlowExpression(text), packet(9999))).toBe(expected);
  });

  it('look into IPv6 and behind a VLAN tag', () => {
    expect(matches(parseFlowExpression('dst host fd77::1 and udp'), packet(1, 2, 'fd77::1'))).toBe(true);
    const tagged = vlanTagged(udpFrame({ sourcePort: 1, port: 2, payload: Buffer.alloc(1) }), 5);
    const flow = parseFlow(tagged, 0, 0, true);
    expect(matches(parseFlowExpression('vlan 5 and dst port 2'), flow)).toBe(true);
    expect(matches(parseFlowExpression('vlan 6 and dst port 2'), flow)).toBe(false);
    // A rule without vlan does not look at the tag.
    expect(matches(parseFlowExpression('dst port 2'), flow)).toBe(true);
  });

  it('say that they cannot tell where a packet does not', () => {
    const fragment = { ...packet(9999), fragment: true, sourcePort: undefined, destinationPort: undefined };
    const { sourcePort: _s, destinationPort: _d, ...without } = fragment;
    expect(matches(parseFlowExpression('udp dst port 9999'), without)).toBeUndefined();
    expect(matches(parseFlowExpression('tcp dst port 9999'), without)).toBe(false);
    expect(matches(parseFlowExpression('udp'), without)).toBe(true);
  });
});

describe('two sets of flows', () => {
  it.each([
    ['udp dst port 9999', 'dst host 10.0.0.1', true],
    ['udp dst port 9999', 'tcp', false],
    ['src net 10.0.0.0/8', 'src host 10.1.2.3', true],
    ['src net 10.0.0.0/8', 'src host 11.1.2.3', false],
    ['ip', 'ip6', false],
    ['arp', 'ip', false],
    ['vlan 1', 'udp', true],
    ['vlan 1', 'vlan 2', false],
  ])('%j and %j may share packets: %s', (a, b, expected) => {
    expect(overlaps(parseFlowExpression(a), parseFlowExpression(b))).toBe(expected);
    expect(overlaps(parseFlowExpression(b), parseFlowExpression(a))).toBe(expected);
  });
});
