import { describe, expect, it } from 'vitest';
import { SNAP_BYTES } from '../../sys/packet-socket/frames.js';
import { incomingFilter } from './filter.js';

const words = (bytes: Uint8Array): (readonly number[])[] => {
  const view = new DataView(bytes.buffer);
  return Array.from({ length: bytes.length / 8 }, (_, i) => [
    view.getUint16(i * 8, true),
    view.getUint8(i * 8 + 2),
    view.getUint8(i * 8 + 3),
    view.getUint32(i * 8 + 4, true),
  ]);
};

/** `ld [SKF_AD_OFF + SKF_AD_PKTTYPE]; jeq #PACKET_OUTGOING, next, +1; ret #0; ld #0`. */
const PREFIX = [
  [0x20, 0, 0, 0xffff_f004],
  [0x15, 0, 1, 4],
  [0x06, 0, 0, 0],
  [0x00, 0, 0, 0],
];

describe('the filter of a packet socket', () => {
  it('lets in what comes in, and no more of it than headers', () => {
    expect(words(incomingFilter(undefined))).toEqual([...PREFIX, [0x06, 0, 0, SNAP_BYTES]]);
  });

  it('leaves an expression’s jumps and refusals alone, and shortens what it gives', () => {
    // `ldh [12]; jeq #0x806, +0, +1; ret #262144; ret #0`: arp.
    const arp = Uint8Array.from([
      0x28, 0, 0, 0, 12, 0, 0, 0, 0x15, 0, 0, 1, 6, 8, 0, 0, 6, 0, 0, 0, 0, 0, 4, 0, 6, 0, 0, 0, 0, 0, 0, 0,
    ]);
    expect(words(incomingFilter(arp))).toEqual([
      ...PREFIX,
      [0x28, 0, 0, 12],
      [0x15, 0, 1, 0x806],
      [0x06, 0, 0, SNAP_BYTES],
      [0x06, 0, 0, 0],
    ]);
    expect(arp[22]).toBe(4);
  });
});
