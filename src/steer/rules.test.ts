import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { compile, noCompiler } from '../../test/support/compile.js';
import { FLOW_SPEC, RXFH, RXNFC } from '../sys/nic-settings.js';
import { parseFlowExpression } from './flow-expression.js';
import { expand, specText } from './flow-spec.js';
import { atLocation } from '../../test/support/fake-nic.js';
import { actionText, decodeRule, encodeRule, locationOf, ruleText, sameRule } from './rules.js';

/** What a C program that includes the kernel's header prints. */
const header: Readonly<Record<string, string | number>> =
  noCompiler === undefined
    ? JSON.parse(execFileSync(compile('test/support/ethtool-structs.c'), { encoding: 'utf8' }))
    : {};

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

describe.skipIf(noCompiler !== undefined)('the structs of the kernel', () => {
  it.each([
    ['rule', FLOW_SPEC],
    ['rxnfc', RXNFC],
    ['rxfh', RXFH],
  ] as const)('%s lies as linux/ethtool.h says', (name, layout) => {
    // `transform` was made from reserved bytes in 6.8: older headers do not name it.
    const named = Object.entries(layout).filter(([field]) => field !== 'transform');
    expect(named.length).toBeGreaterThan(4);
    for (const [field, offset] of named) expect([field, header[`${name}.${field}`]]).toEqual([field, offset]);
  });

  it('rules are byte for byte what C makes of them', () => {
    const rules = Object.entries(header).filter(
      (entry): entry is [string, string] => typeof entry[1] === 'string',
    );
    expect(rules.length).toBe(6);
    for (const [expression, bytes] of rules) {
      const { location, action } = decodeRule(Buffer.from(bytes, 'hex'));
      const [spec, ...more] = expand(parseFlowExpression(expression));
      expect(more).toEqual([]);
      const queue = action.kind === 'queue' ? action.queue : -1;
      expect(hex(encodeRule(spec!, queue, location)), expression).toBe(bytes);
      expect(decodeRule(Buffer.from(bytes, 'hex'))).toEqual({
        location,
        spec,
        action: { kind: 'queue', queue, vf: 0 },
        more: false,
      });
    }
  });
});

describe('a rule', () => {
  const one = (expression: string): Uint8Array =>
    encodeRule(expand(parseFlowExpression(expression))[0]!, 3, 12);

  it('is told in the words of an expression', () => {
    expect(ruleText(decodeRule(one('ip and udp dst port 9999')))).toBe(
      'rule 12: ip and udp and dst port 9999 → queue 3',
    );
    expect(ruleText(decodeRule(one('vlan 5 and ether proto arp')))).toBe(
      'rule 12: vlan 5 and ether proto 0x0806 → queue 3',
    );
  });

  it('with fields that rxstamp has no name for says so', () => {
    const rule = one('ip and tcp dst port 80');
    rule[FLOW_SPEC.headerMask + 12] = 0xff; // tos
    expect(decodeRule(rule).more).toBe(true);
    expect(ruleText(decodeRule(rule))).toMatch(/fields that rxstamp does not name/);
    const ether = one('arp');
    ether[FLOW_SPEC.headerMask] = 0xff; // destination MAC
    expect(decodeRule(ether)).toMatchObject({ spec: { ethertype: 0x0806 }, more: true });
    const other = one('arp');
    other[0] = 0x04; // AH_ESP_V4_FLOW
    expect(decodeRule(other)).toMatchObject({ spec: {}, more: true });
  });

  it('may drop, wake, go to a virtual function or to an RSS context', () => {
    const rule = one('ip');
    const view = new DataView(rule.buffer);
    const text = (cookie: bigint): string => {
      view.setBigUint64(FLOW_SPEC.ringCookie, cookie, true);
      return actionText(decodeRule(rule).action);
    };
    expect(text(0xffff_ffff_ffff_ffffn)).toBe('drop');
    expect(text(0xffff_ffff_ffff_fffen)).toBe('wake up');
    expect(text(0x2_0000_0004n)).toBe('virtual function 1, queue 4');
    view.setUint32(0, view.getUint32(0, true) | 0x2000_0000, true);
    expect(text(1n)).toBe('an RSS context');
  });

  it('is the same rule when only bits without a mask, padding or the location differ', () => {
    const rule = one('ip and udp dst port 9999');
    const other = atLocation(rule, 900);
    other[FLOW_SPEC.header] = 10; // a source address that nothing looks at
    other[FLOW_SPEC.ringCookie - 1] = 1;
    expect(locationOf(other)).toBe(900);
    expect(sameRule(rule, other)).toBe(true);
    for (const change of ['ip and udp dst port 9998', 'ip and tcp dst port 9999', 'ip and udp src port 9999'])
      expect(sameRule(rule, one(change))).toBe(false);
    const queue = rule.slice();
    queue[FLOW_SPEC.ringCookie] = 4;
    expect(sameRule(rule, queue)).toBe(false);
  });
});

describe('a set of flows', () => {
  it('is as many rules as it has families and transports', () => {
    const texts = (expression: string): string[] => expand(parseFlowExpression(expression)).map(specText);
    expect(texts('udp dst port 9999')).toEqual([
      'ip and udp and dst port 9999',
      'ip6 and udp and dst port 9999',
    ]);
    expect(texts('dst port 53')).toEqual([
      'ip and tcp and dst port 53',
      'ip and udp and dst port 53',
      'ip and sctp and dst port 53',
      'ip6 and tcp and dst port 53',
      'ip6 and udp and dst port 53',
      'ip6 and sctp and dst port 53',
    ]);
    expect(texts('src host 10.0.0.1')).toEqual(['ip and src host 10.0.0.1']);
    expect(texts('vlan 7')).toEqual(['vlan 7']);
  });
});
