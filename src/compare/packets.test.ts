import { describe, expect, it } from 'vitest';
import { type PacketSighting, matchPackets, packetLateness } from './packets.js';

const one = (time: number, skb: number, bytes = '', interrupt = Number.NaN): PacketSighting => ({
  time,
  driver: time,
  interrupt,
  skb,
  bytes,
});

describe('packets that several methods saw', () => {
  it('are matched by their skb, in the order of time: addresses are used again', () => {
    const reference = [one(1e6, 7), one(2e9, 7), one(3e9, 8)];
    const found = matchPackets(reference, [one(2e9 + 10, 7), one(1e6 + 5, 7), one(9e9, 8)]);
    expect(found.map((packet) => packet?.time)).toEqual([1e6 + 5, 2e9 + 10, undefined]);
  });

  it('are matched by their bytes where a method does not tell the skb', () => {
    const reference = [one(100, 7, 'a'), one(200, 7, 'b'), one(300, 9, 'a'), one(400, 9, '')];
    const found = matchPackets(reference, [
      one(150, 0, 'a'),
      one(350, 0, 'a'),
      one(250, 0, 'b'),
      one(450, 0, ''),
    ]);
    expect(found.map((packet) => packet?.time)).toEqual([150, 250, 350, undefined]);
  });

  it('are late by what lies between, and only counted where both are known', () => {
    const reference = [one(100, 1, '', 40), one(200, 2), one(300, 3, '', 290)];
    const found = [one(110, 1), one(230, 2), undefined];
    expect(packetLateness(reference, found)).toEqual({
      matched: 2,
      afterDriver: { median: 20, min: 10, max: 30, p99: 29.8 },
      afterInterrupt: { median: 70, min: 70, max: 70, p99: 70 },
    });
  });
});
