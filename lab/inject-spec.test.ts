import { describe, expect, it } from 'vitest';
import { framesOf, microseconds, parseInject } from './inject-spec.js';

describe('parseInject', () => {
  it('reads every option', () => {
    expect(parseInject('udp,flows=8,count=1000,gap=1.5ms,burst=4,port=53,size=64,start=2s')).toEqual({
      kind: 'udp',
      flows: 8,
      count: 1000,
      gapUs: 1500,
      burst: 4,
      port: 53,
      size: 64,
      start: { seconds: 2 },
    });
  });

  it("waits for the command's first output unless told otherwise", () => {
    expect(parseInject('arp').start).toEqual({ text: '' });
    expect(parseInject('arp,start=~listening').start).toEqual({ text: 'listening' });
  });

  it.each(['tcp', 'udp,flows', 'udp,gap=5', 'udp,count=0', 'udp,size=5', 'udp,count=9999999', 'udp,foo=1'])(
    'refuses %s',
    (text) => {
      expect(() => parseInject(text)).toThrow(expect.objectContaining({ code: 'RXS_USAGE' }));
    },
  );

  it('makes as many frames as were asked for, of each kind', () => {
    for (const kind of ['udp', 'udp6', 'icmp', 'icmp6', 'arp']) {
      expect(framesOf(parseInject(`${kind},count=3`))).toHaveLength(3);
    }
  });
});

describe('microseconds', () => {
  it.each([
    ['250us', 250],
    ['1ms', 1000],
    ['0.5s', 500_000],
    ['7', undefined],
    ['ms', undefined],
  ])('of %s is %s', (text, value) => {
    expect(microseconds(text)).toBe(value);
  });
});
