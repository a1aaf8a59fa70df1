import { describe, expect, it } from 'vitest';
import { BLOCK_BYTES, FRAMES_PER_BLOCK, FRAME_BYTES, FrameRing, SNAP_BYTES } from './frames.js';

/** The kernel's end, as tpacket_rcv() fills a TPACKET_V2 ring: a frame is written where one is free, else it is dropped. */
class Writer {
  readonly memory: ArrayBuffer;
  readonly ring: FrameRing;
  dropped = 0;
  private readonly view: DataView;
  private readonly frames: number;
  private next = 0;

  constructor(blocks: number) {
    this.memory = new ArrayBuffer(blocks * BLOCK_BYTES);
    this.view = new DataView(this.memory);
    this.ring = new FrameRing(new Uint32Array(this.memory));
    this.frames = blocks * FRAMES_PER_BLOCK;
  }

  put(number: number, bytes: number, link = 14, vlan?: number, early = false): void {
    const at =
      Math.floor(this.next / FRAMES_PER_BLOCK) * BLOCK_BYTES + (this.next % FRAMES_PER_BLOCK) * FRAME_BYTES;
    if (this.view.getUint32(at, true) !== 0) {
      this.dropped++;
      return;
    }
    this.next = (this.next + 1) % this.frames;
    // tpacket_rcv(): netoff = TPACKET_ALIGN(tp_hdrlen + max(maclen, 16)), tp_hdrlen 52 for V2.
    const net = (52 + Math.max(link, 16) + 15) & ~15;
    const mac = net - link;
    const kept = Math.min(bytes + link, SNAP_BYTES, FRAME_BYTES - mac);
    this.view.setUint32(at + 4, bytes + link, true);
    this.view.setUint32(at + 8, kept, true);
    this.view.setUint16(at + 12, mac, true);
    this.view.setUint16(at + 14, net, true);
    this.view.setUint32(at + 16, 1_700_000_000, true);
    this.view.setUint32(at + 20, number, true);
    this.view.setUint16(at + 24, vlan ?? 0, true);
    this.view.setUint16(at + 34, 0x0800, false);
    new Uint8Array(this.memory).fill(number & 0xff, at + mac, at + mac + kept);
    const status = 1 | (vlan === undefined ? 0 : 0x10) | (early ? 0x2000_0000 : 0) | 0x80;
    this.view.setUint32(at, status >>> 0, true);
  }
}

const numbers = (ring: FrameRing): number[] => {
  const seen: number[] = [];
  ring.drain((frame) => {
    seen.push(frame.nanoseconds);
    return true;
  });
  return seen;
};

describe('frames of a packet socket', () => {
  it('tell stamp, length without the link header, protocol, and the bytes from the network header on', () => {
    const writer = new Writer(1);
    writer.put(77, 100);
    writer.put(78, 20, 0, 0x2005, true);
    const seen: unknown[] = [];
    writer.ring.drain((frame) => {
      const { view, at, captured, ...rest } = frame;
      const bytes = new Uint8Array(view.buffer, view.byteOffset + at, captured);
      seen.push({ ...rest, captured, marks: [...new Set(bytes)] });
      return true;
    });
    const common = { seconds: 1_700_000_000, protocol: 0x0800 };
    expect(seen).toEqual([
      {
        ...common,
        nanoseconds: 77,
        early: false,
        length: 100,
        vlan: 0,
        captured: SNAP_BYTES - 14,
        marks: [77],
      },
      { ...common, nanoseconds: 78, early: true, length: 20, vlan: 0x2005, captured: 20, marks: [78] },
    ]);
  });

  it('come in their order round and round, over the rest of each block, and what finds no room is dropped', () => {
    const writer = new Writer(2);
    const seen: number[] = [];
    let sent = 0;
    for (let round = 0; round < 7; round++) {
      for (let i = 0; i < 700; i++) writer.put(sent++, 40);
      seen.push(...numbers(writer.ring));
    }
    expect(writer.dropped).toBe(0);
    expect(seen).toEqual(Array.from({ length: sent }, (_, i) => i));
    for (let i = 0; i < 2 * FRAMES_PER_BLOCK + 9; i++) writer.put(i, 40);
    expect(writer.dropped).toBe(9);
    expect(numbers(writer.ring)).toHaveLength(2 * FRAMES_PER_BLOCK);
  });

  it('stay where they are not wanted yet', () => {
    const writer = new Writer(1);
    for (let i = 0; i < 5; i++) writer.put(i, 40);
    const seen: number[] = [];
    expect(
      writer.ring.drain((frame) => {
        if (frame.nanoseconds === 3) return false;
        seen.push(frame.nanoseconds);
        return true;
      }),
    ).toBe(3);
    expect([seen, numbers(writer.ring)]).toEqual([
      [0, 1, 2],
      [3, 4],
    ]);
  });
});
