import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { RxError } from '../../base/errors.js';
import { kernelFilter, needsLive, shareOf, readExpression, splitWords } from './expression.js';

const exists = (name: string): boolean => ['eth0', 'eth1', 'ip'].includes(name);
const split = (text: string, named?: string) => splitWords(text === '' ? [] : text.split(' '), named, exists);

function refusal(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    return error instanceof RxError ? error.toLine() : String(error);
  }
  return 'nothing was thrown';
}

describe('the words of trace', () => {
  it.each([
    ['', undefined, undefined, undefined, false],
    ['eth0', undefined, 'eth0', undefined, false],
    ['eth0 udp port 53', undefined, 'eth0', 'udp port 53', false],
    ['udp port 53', undefined, undefined, 'udp port 53', true],
    ['eth7 udp', undefined, undefined, 'eth7 udp', true],
    // An interface wins over a word of the language; -i tells them apart.
    ['ip', undefined, 'ip', undefined, false],
    ['ip', 'ip', 'ip', undefined, false],
    ['ip or arp', 'eth0', 'eth0', 'ip or arp', false],
    ['udp port 53', 'eth0', 'eth0', 'udp port 53', false],
    ['eth0', 'eth0', 'eth0', undefined, false],
    ['eth0 udp', 'eth0', 'eth0', 'udp', false],
  ])('%j with -i %s', (words, named, iface, expression, guessed) => {
    expect(split(words, named)).toEqual({ interface: iface, expression, guessed });
  });

  it('may come as one word of the shell', () => {
    expect(splitWords(['eth0', 'udp port 53'], undefined, exists).expression).toBe('udp port 53');
  });

  it('name one interface', () => {
    expect(refusal(() => split('eth1', 'eth0'))).toMatch(/^RXS_USAGE: choosing an interface eth1, eth0: two/);
  });
});

describe('an expression', () => {
  it('is compiled for the link that the interface has', () => {
    const filter = kernelFilter('udp port 53', false, ['lo']);
    expect(filter).toMatchObject({ expression: 'udp port 53', ethernet: true, reach: 78 });
    expect(filter.code.length % 8).toBe(0);
  });

  it('needs libpcap to look at the interface only for what lies beside the bytes', () => {
    expect(['vlan 5 and ip', 'not inbound', 'outbound'].map(needsLive)).toEqual([true, true, true]);
    expect(['udp', 'host vlans.example', 'port 53'].map(needsLive)).toEqual([false, false, false]);
  });

  it('that libpcap refuses is told in its words', () => {
    expect(refusal(() => kernelFilter('udp port 99999', false, ['lo']))).toBe(
      'RXS_FILTER: compiling the filter expression "udp port 99999": libpcap: illegal port number 99999 > 65535. hint: see pcap-filter(7)',
    );
  });

  it('whose first word was to be an interface says so, in both readings', () => {
    const alone = refusal(() => kernelFilter('lo7', true, ['lo']));
    expect(alone).toMatch(
      /^RXS_NO_IFACE: resolving the interface "lo7": no such .*\. hint: pick one of: lo.*as a filter expression it was refused too \(libpcap: .*syntax error\)$/,
    );
    expect(refusal(() => kernelFilter('lo7 udp port 53', true, ['lo']))).toMatch(/^RXS_NO_IFACE: .*"lo7"/);
    expect(refusal(() => kernelFilter('udp prot 53', true, ['lo']))).toMatch(
      /^RXS_FILTER: .*"udp prot 53": libpcap: .*syntax error\. hint: see pcap-filter\(7\); if "udp" is meant as the interface, pick one of: .*lo/,
    );
  });

  it('that nobody typed is told in other words', () => {
    const share = shareOf('lo.5', ['lo']);
    expect(refusal(() => kernelFilter('(vlan 5000)', false, ['lo'], share))).toMatch(
      /^RXS_FILTER: telling the packets of lo\.5 from others by "\(vlan 5000\)": libpcap: .*\. hint: trace lo instead:/,
    );
    expect(refusal(() => kernelFilter('(vlan 5)', false, ['no-such-interface'], share))).toMatch(
      /^RXS_FILTER: telling the packets of lo\.5 .*link type.*\. hint: trace lo instead:/,
    );
  });

  it('needs an interface with a link type that it can be compiled for', () => {
    expect(refusal(() => kernelFilter('udp', false, ['no-such-interface']))).toMatch(
      /^RXS_FILTER: .*link type/,
    );
  });

  it('may stand in a file, with comments', () => {
    const folder = mkdtempSync(join(tmpdir(), 'rxstamp-expression-'));
    const path = join(folder, 'filter');
    writeFileSync(path, '# name service\nudp port 53 # and\n  or tcp port 53\n');
    expect(readExpression(path)).toBe('udp port 53 or tcp port 53');
    rmSync(folder, { recursive: true });
    expect(refusal(() => readExpression(path))).toMatch(
      /^RXS_USAGE: reading the filter expression in .*: .*does not exist/,
    );
  });
});
