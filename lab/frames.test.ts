import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  SPREAD_FLOWS,
  ADDRESSES,
  addressBytes,
  arpFrame,
  checksum,
  echoFrame,
  sequenceOf,
  sequencePayload,
  spreadPort,
  udpFlows,
  udpFrame,
  vlanTagged,
} from './frames.js';

function pseudo(source: Buffer, target: Buffer, protocol: number, length: number): Buffer {
  const tail = Buffer.alloc(8);
  tail.writeUInt32BE(length, 0);
  tail.writeUInt32BE(protocol, 4);
  return Buffer.concat([source, target, tail]);
}

// The sum over data that contains a right checksum is zero.
describe('checksum', () => {
  it('is that of the example in RFC 1071', () => {
    expect(checksum(Buffer.from('0001f203f4f5f6f7', 'hex'))).toBe(~0xddf2 & 0xffff);
  });

  it('counts an odd last byte as the high half', () => {
    expect(checksum(Buffer.from('ab', 'hex'))).toBe(~0xab00 & 0xffff);
  });

  it('of data with its own checksum is zero', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 2, maxLength: 200 }), (bytes) => {
        const data = Buffer.from(bytes.length % 2 === 0 ? bytes : bytes.slice(1));
        data.writeUInt16BE(0, 0);
        data.writeUInt16BE(checksum(data), 0);
        return checksum(data) === 0;
      }),
    );
  });
});

describe('addresses', () => {
  it.each([
    ['10.77.0.1', '0a4d0001'],
    ['fd77::1', 'fd770000000000000000000000000001'],
    ['::1', '00000000000000000000000000000001'],
    ['2001:db8:1:2:3:4:5:6', '20010db8000100020003000400050006'],
  ])('%s', (text, hex) => {
    expect(addressBytes(text).toString('hex')).toBe(hex);
  });
});

describe('UDP frames', () => {
  it('of IPv4 have right header and UDP checksums, whatever the payload', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.integer({ min: 1, max: 65_535 }), (bytes, port) => {
        const frame = udpFrame({ sourcePort: port, port: 9999, payload: Buffer.from(bytes) });
        const length = 8 + bytes.length;
        const head = frame.subarray(14, 34);
        const udp = frame.subarray(34, 34 + length);
        expect(frame.readUInt16BE(12)).toBe(0x0800);
        expect(head.readUInt16BE(2)).toBe(20 + length);
        expect(checksum(head)).toBe(0);
        expect(checksum(pseudo(head.subarray(12, 16), head.subarray(16, 20), 17, length), udp)).toBe(0);
        expect(udp.readUInt16BE(6)).not.toBe(0);
        expect(frame.length).toBe(Math.max(60, 34 + length));
      }),
    );
  });

  it('of IPv6 have a right UDP checksum', () => {
    const payload = Buffer.from('odd');
    const frame = udpFrame({ sourcePort: 5, port: 6, payload, target: ADDRESSES.guest6 });
    const udp = frame.subarray(54, 54 + 11);
    expect(frame.readUInt16BE(12)).toBe(0x86dd);
    expect(frame.readUInt16BE(18)).toBe(11);
    expect(checksum(pseudo(frame.subarray(22, 38), frame.subarray(38, 54), 17, 11), udp)).toBe(0);
  });

  it('of flows take turns in their source ports and carry their number', () => {
    const frames = udpFlows({ count: 20, flows: 8, size: 40 });
    expect(frames.map((frame) => frame.readUInt16BE(34))).toEqual(
      frames.map((_, index) => 1000 + (index % 8)),
    );
    expect(frames.map((frame) => sequenceOf(frame.subarray(42)))).toEqual(frames.map((_, index) => index));
    expect(frames[0]?.readUInt16BE(38)).toBe(48);
  });
});

describe('spreadPort', () => {
  it('turns another bit of the port for each flow', () => {
    const ports = Array.from({ length: SPREAD_FLOWS }, (_, flow) => spreadPort(flow));
    const turned = ports.slice(1).map((port) => Math.log2(port ^ (ports[0] as number)));
    expect(turned).toEqual(Array.from({ length: 15 }, (_, bit) => bit));
    expect(ports.every((port) => port > 1023 && port < 65_536)).toBe(true);
    expect(() => spreadPort(SPREAD_FLOWS)).toThrow(RangeError);
  });
});

describe('other frames', () => {
  it('echo requests have right checksums', () => {
    expect(checksum(echoFrame(7, 4).subarray(34, 34 + 40))).toBe(0);
    const v6 = echoFrame(7, 6);
    expect(checksum(pseudo(v6.subarray(22, 38), v6.subarray(38, 54), 58, 40), v6.subarray(54, 94))).toBe(0);
  });

  it('an ARP request asks for the guest', () => {
    const frame = arpFrame();
    expect(frame.subarray(0, 6).toString('hex')).toBe('ffffffffffff');
    expect(frame.subarray(38, 42).toString('hex')).toBe('0a4d0001');
  });

  it('a VLAN tag sits behind the addresses and moves the rest by four bytes', () => {
    const plain = arpFrame();
    const tagged = vlanTagged(plain, 100);
    expect(tagged.subarray(12, 16).toString('hex')).toBe('81000064');
    expect(tagged.subarray(16)).toEqual(plain.subarray(12));
  });

  it('a payload too small for its number is refused', () => {
    expect(() => sequencePayload(1, 10)).toThrow(RangeError);
    expect(sequenceOf(Buffer.from('something else'))).toBeUndefined();
  });
});
