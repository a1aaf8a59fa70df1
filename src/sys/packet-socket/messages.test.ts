import { describe, expect, it } from 'vitest';
import { BATCH, MessageBatch } from './messages.js';
import { SNAP_BYTES } from './frames.js';

/** What is put into the control messages of a packet, one struct cmsghdr behind the other. */
function controls(...parts: readonly (readonly [level: number, type: number, data: Uint8Array])[]): Buffer {
  return Buffer.concat(
    parts.map(([level, type, data]) => {
      const head = Buffer.alloc(16);
      head.writeBigUInt64LE(BigInt(16 + data.length), 0);
      head.writeInt32LE(level, 8);
      head.writeInt32LE(type, 12);
      return Buffer.concat([head, data, Buffer.alloc((8 - (data.length % 8)) % 8)]);
    }),
  );
}

/** SCM_TIMESTAMPING: seconds and nanoseconds of the software, of nobody, of the NIC. */
const stamps = (...six: readonly number[]): readonly [number, number, Uint8Array] => [
  1,
  37,
  new Uint8Array(BigInt64Array.from(six, BigInt).buffer),
];

/** PACKET_AUXDATA: status, length, kept, where the headers begin, VLAN. */
function auxiliary(
  status: number,
  length: number,
  net: number,
  vlan: number,
): readonly [number, number, Uint8Array] {
  const data = Buffer.alloc(20);
  data.writeUInt32LE(status, 0);
  data.writeUInt32LE(length, 4);
  data.writeUInt16LE(net, 14);
  data.writeUInt16LE(vlan, 16);
  return [263, 8, data];
}

/** Puts a message in place `index`, as recvmmsg does. */
function put(batch: MessageBatch, index: number, bytes: number, control: Buffer): void {
  const header = new DataView(batch.headers.buffer, index * 64);
  header.setUint32(56, bytes, true);
  header.setBigUint64(40, BigInt(control.length), true);
  batch.controls.set(control, index * 128);
  batch.names.set([17, 0, 0x86, 0xdd], index * 32);
  batch.packets.fill(index, index * SNAP_BYTES, (index + 1) * SNAP_BYTES);
}

const NAMES = 0x1000n;
const make = (): { batch: MessageBatch; addresses: Map<Uint8Array, bigint> } => {
  const addresses = new Map<Uint8Array, bigint>();
  let next = NAMES;
  const batch = new MessageBatch((bytes) => {
    addresses.set(bytes, next);
    return (next += 0x1_0000n) - 0x1_0000n;
  });
  return { batch, addresses };
};

describe('packets of recvmmsg', () => {
  it('have both stamps side by side, length and headers behind the link header, and the tag', () => {
    const { batch } = make();
    put(batch, 5, SNAP_BYTES, controls(stamps(1_700_000_000, 7, 0, 0, 12, 34), auxiliary(0x11, 1514, 14, 9)));
    expect(batch.read(5)).toMatchObject({
      seconds: 1_700_000_000,
      nanoseconds: 7,
      hardware: 12_000_000_034n,
      early: true,
      length: 1500,
      protocol: 0x86dd,
      vlan: 9,
      at: 5 * SNAP_BYTES + 14,
      captured: SNAP_BYTES - 14,
    });
    // The one before says nothing about the next.
    put(batch, 6, 20, controls(auxiliary(1, 20, 0, 9), stamps(1_700_000_001, 8, 0, 0, 0, 0)));
    expect(batch.read(6)).toMatchObject({
      nanoseconds: 8,
      hardware: undefined,
      length: 20,
      vlan: 0,
      captured: 20,
    });
  });

  it('without a stamp, or with control messages that are none, say so', () => {
    const { batch } = make();
    put(batch, 0, 40, controls(auxiliary(1, 40, 14, 0)));
    put(batch, 1, 40, Buffer.alloc(32));
    put(batch, 2, 40, Buffer.alloc(128, 0xff));
    expect([0, 1, 2].map((index) => batch.read(index).seconds)).toEqual([0, 0, 0]);
  });

  it('come into room that each message has of its own, and all of it again after each call', () => {
    const { batch, addresses } = make();
    const view = new DataView(batch.headers.buffer);
    const field = (index: number, at: number): bigint => view.getBigUint64(index * 64 + at, true);
    expect(field(3, 0) - (addresses.get(batch.names) as bigint)).toBe(3n * 32n);
    expect(field(BATCH - 1, 32) - (addresses.get(batch.controls) as bigint)).toBe(BigInt(BATCH - 1) * 128n);
    put(batch, 3, 10, controls());
    batch.clear(4);
    expect([view.getUint32(3 * 64 + 8, true), field(3, 40)]).toEqual([32, 128n]);
  });
});
