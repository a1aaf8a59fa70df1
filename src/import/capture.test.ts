import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type CaptureSink, CaptureReader, captureKind } from './capture.js';

const u16 = (value: number, big = false): Buffer => {
  const bytes = Buffer.alloc(2);
  if (big) bytes.writeUInt16BE(value);
  else bytes.writeUInt16LE(value);
  return bytes;
};
const u32 = (value: number, big = false): Buffer => {
  const bytes = Buffer.alloc(4);
  if (big) bytes.writeUInt32BE(value >>> 0);
  else bytes.writeUInt32LE(value >>> 0);
  return bytes;
};

/** An IPv4 UDP packet behind an Ethernet header. */
const IP = Buffer.from('45000020000100004011aaaa0a4d00020a4d000103e8270f000c000072786c61', 'hex');
const FRAME = Buffer.concat([Buffer.from('5254000000015254000000020800', 'hex'), IP]);

interface Packet {
  readonly seconds: number;
  readonly nanos: number;
  readonly length: number;
  readonly protocol: number;
  readonly bytes: Buffer;
}
interface Read {
  readonly packets: Packet[];
  readonly wrong: string[];
  others: number;
  lost: number;
}

/** Reads a capture in pieces of `step` bytes. */
function read(bytes: Buffer, step = bytes.length): Read {
  const found: Read = { packets: [], wrong: [], others: 0, lost: 0 };
  const sink: CaptureSink = {
    block(packet, why = '') {
      if (packet !== undefined) found.packets.push({ ...packet, bytes: Buffer.from(packet.bytes) });
      else if (why === '') found.others++;
      else found.wrong.push(why);
    },
    lost: (count) => void (found.lost += count),
  };
  const reader = new CaptureReader(sink);
  for (let at = 0; at < bytes.length; at += step) reader.add(bytes.subarray(at, at + step));
  reader.end();
  return found;
}

function pcap(
  magic: number,
  big: boolean,
  link: number,
  records: readonly (readonly [number, number, Buffer, number?])[],
): Buffer {
  const head = [u32(magic, big), u16(2, big), u16(4, big), u32(0), u32(0), u32(262_144, big), u32(link, big)];
  const body = records.flatMap(([seconds, fraction, data, length = data.length]) => [
    u32(seconds, big),
    u32(fraction, big),
    u32(data.length, big),
    u32(length, big),
    data,
  ]);
  return Buffer.concat([...head, ...body]);
}

function block(type: number, body: Buffer, big = false): Buffer {
  const padded = Buffer.concat([body, Buffer.alloc((4 - (body.length % 4)) % 4)]);
  const length = u32(padded.length + 12, big);
  return Buffer.concat([u32(type, big), length, padded, length]);
}
const option = (code: number, value: Buffer, big = false): Buffer =>
  Buffer.concat([u16(code, big), u16(value.length, big), value, Buffer.alloc((4 - (value.length % 4)) % 4)]);
const section = (big = false): Buffer =>
  block(
    0x0a0d0d0a,
    Buffer.concat([u32(0x1a2b3c4d, big), u16(1, big), u16(0, big), Buffer.alloc(8, 0xff)]),
    big,
  );
const device = (link: number, options: readonly Buffer[] = [], big = false): Buffer =>
  block(1, Buffer.concat([u16(link, big), u16(0), u32(0), ...options]), big);
const packet = (
  of: number,
  units: bigint,
  data: Buffer,
  options: readonly Buffer[] = [],
  big = false,
): Buffer =>
  block(
    6,
    Buffer.concat([
      u32(of, big),
      u32(Number(units >> 32n), big),
      u32(Number(units & 0xffff_ffffn), big),
      u32(data.length, big),
      u32(data.length, big),
      data,
      Buffer.alloc((4 - (data.length % 4)) % 4),
      ...options,
    ]),
    big,
  );

const EXPECTED = { length: 32, protocol: 0x0800, bytes: IP };

describe('pcap', () => {
  it('is read in either byte order and resolution, in pieces of any size', () => {
    for (const big of [false, true]) {
      const micro = pcap(0xa1b2c3d4, big, 1, [
        [1000, 999_999, FRAME],
        [4_000_000_000, 1, FRAME.subarray(0, 20), 1514],
      ]);
      const nano = pcap(0xa1b23c4d, big, 1, [[1000, 123_456_789, FRAME]]);
      expect(captureKind(micro)).toBe('pcap');
      for (const step of [1, 7, 16, 1000]) {
        const { packets, wrong } = read(micro, step);
        expect(packets).toEqual([
          { seconds: 1000, nanos: 999_999_000, ...EXPECTED },
          { seconds: 4_000_000_000, nanos: 1000, length: 1500, protocol: 0x0800, bytes: IP.subarray(0, 6) },
        ]);
        expect(wrong).toEqual([]);
      }
      expect(read(nano).packets).toMatchObject([{ seconds: 1000, nanos: 123_456_789 }]);
    }
  });

  it('has other link layers, of which some tell what was sent', () => {
    const cooked = (type: number): Buffer =>
      Buffer.concat([u16(type, true), Buffer.alloc(12), u16(0x0800, true), IP]);
    expect(
      read(
        pcap(0xa1b2c3d4, false, 113, [
          [1, 0, cooked(0)],
          [2, 0, cooked(4)],
        ]),
      ),
    ).toMatchObject({
      packets: [{ seconds: 1, ...EXPECTED }],
      others: 1,
    });
    const cooked2 = (type: number): Buffer =>
      Buffer.concat([u16(0x0800, true), Buffer.alloc(8), Buffer.from([type]), Buffer.alloc(9), IP]);
    expect(
      read(
        pcap(0xa1b2c3d4, false, 276, [
          [1, 0, cooked2(0)],
          [2, 0, cooked2(4)],
        ]),
      ).packets,
    ).toMatchObject([{ seconds: 1, ...EXPECTED }]);
    expect(read(pcap(0xa1b2c3d4, false, 101, [[1, 0, IP]])).packets).toMatchObject([EXPECTED]);
    expect(read(pcap(0xa1b2c3d4, false, 147, [[1, 0, IP]])).wrong).toEqual([
      'no packet is found in it (link type 147, 32 bytes kept)',
    ]);
  });

  it('that is damaged says where', () => {
    const good = pcap(0xa1b2c3d4, false, 1, [[1, 0, FRAME]]);
    expect(read(good.subarray(0, -1)).wrong).toEqual([
      'the file ends in the middle of it, 61 bytes from its beginning',
    ]);
    const huge = Buffer.concat([good, u32(1), u32(0), u32(0x7fff_ffff), u32(0), FRAME, FRAME]);
    expect(read(huge)).toMatchObject({
      packets: [{ seconds: 1 }],
      wrong: ['it says that it has 2147483647 bytes; what is behind it cannot be found'],
    });
    expect(read(pcap(0xa1b23c4d, false, 1, [[1, 1_000_000_000, FRAME]])).wrong).toEqual([
      'its time is 1000000000 behind the second',
    ]);
  });
});

describe('pcapng', () => {
  it('has resolutions, offsets, directions and sections', () => {
    for (const big of [false, true]) {
      const outbound = option(2, u32(2, big), big);
      const inbound = option(2, u32(1, big), big);
      const offset = Buffer.alloc(8);
      if (big) offset.writeBigInt64BE(1000n);
      else offset.writeBigInt64LE(1000n);
      const file = Buffer.concat([
        section(big),
        device(1, [], big),
        device(101, [option(9, Buffer.from([9]), big), option(14, offset, big)], big),
        device(1, [option(9, Buffer.from([0x94]), big)], big),
        packet(0, 1_700_000_000_123_456n, FRAME, [inbound], big),
        packet(0, 1_700_000_000_123_457n, FRAME, [outbound], big),
        packet(1, 5_000_000_001n, IP, [], big),
        packet(2, (7n << 20n) + 1n, FRAME, [], big),
        section(!big),
        device(101, [], !big),
        packet(0, 1n, IP, [], !big),
        block(4, Buffer.alloc(8), !big),
      ]);
      expect(captureKind(file)).toBe('pcapng');
      for (const step of [1, 13, 4096]) {
        const { packets, wrong, others } = read(file, step);
        expect(packets.map(({ seconds, nanos }) => [seconds, nanos])).toEqual([
          [1_700_000_000, 123_456_000],
          [1005, 1],
          [7, 953],
          [0, 1000],
        ]);
        expect(packets[0]).toMatchObject(EXPECTED);
        expect([wrong, others]).toEqual([[], 2 + 4 + 1 + 1]);
      }
    }
  });

  it('says what was not captured, once', () => {
    const count = (value: bigint): Buffer => {
      const bytes = Buffer.alloc(8);
      bytes.writeBigInt64LE(value);
      return bytes;
    };
    const statistics = (dropped: bigint): Buffer =>
      block(5, Buffer.concat([u32(0), u32(0), u32(0), option(5, count(dropped)), option(7, count(1n))]));
    expect(read(Buffer.concat([section(), device(1), statistics(3n), statistics(7n)])).lost).toBe(8);
  });

  it('that is damaged says where', () => {
    const bad = (...blocks: readonly Buffer[]): string[] =>
      read(Buffer.concat([section(), device(1), ...blocks])).wrong;
    expect(bad(packet(5, 1n, FRAME))).toEqual(['it is of an interface that was not told']);
    expect(bad(block(3, Buffer.concat([u32(46), FRAME])))).toEqual(['it is a packet without a time']);
    expect(bad(block(6, Buffer.alloc(4)))).toEqual(['it is too short']);
    expect(bad(Buffer.concat([u32(6), u32(33)]), Buffer.alloc(40))).toEqual([
      'it says that it has 33 bytes; what is behind it cannot be found',
    ]);
    const crossed = packet(0, 1n, FRAME);
    crossed.writeUInt32LE(8, crossed.length - 4);
    expect(bad(crossed)[0]).toMatch(/^its two lengths/);
    const long = packet(0, 1n, FRAME);
    long.writeUInt32LE(1000, 8 + 12);
    expect(bad(long)).toEqual(['it says that it has 1000 bytes']);
  });
});

it('damaged captures neither crash nor hang, and nothing is counted twice', () => {
  const files = [
    pcap(
      0xa1b2c3d4,
      false,
      1,
      Array.from({ length: 20 }, (_, i) => [i, 0, FRAME] as const),
    ),
    Buffer.concat([
      section(),
      device(1),
      ...Array.from({ length: 20 }, (_, i) => packet(0, BigInt(i), FRAME)),
    ]),
  ];
  let state = 7;
  const below = (limit: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % limit;
  };
  for (let round = 0; round < 20_000; round++) {
    const bytes = Buffer.from(files[round % 2] as Buffer);
    for (let times = below(6); times >= 0; times--) bytes[below(bytes.length)] = below(256);
    const { packets, wrong, others } = read(bytes.subarray(0, 1 + below(bytes.length)), 1 + below(400));
    expect(packets.length + wrong.length + others).toBeLessThan(200);
  }
});

const tshark =
  spawnSync('tshark', ['--version']).status === 0 && spawnSync('editcap', ['--version']).status === 0;

it.skipIf(!tshark)('are what Wireshark’s own programs write and read', () => {
  const folder = mkdtempSync(join(tmpdir(), 'rxs-'));
  try {
    const plain = join(folder, 'a.pcap');
    writeFileSync(
      plain,
      pcap(0xa1b23c4d, false, 1, [
        [1_790_000_000, 7, FRAME],
        [1_790_000_000, 999_999_999, FRAME],
      ]),
    );
    for (const form of ['pcapng', 'pcap', 'nsecpcap']) {
      const file = join(folder, `b.${form}`);
      execFileSync('editcap', ['-F', form, plain, file]);
      const fields = execFileSync(
        'tshark',
        ['-r', file, '-T', 'fields', '-e', 'frame.time_epoch', '-e', 'ip.len'],
        {
          encoding: 'utf8',
          stdio: ['ignore', 'pipe', 'ignore'],
        },
      );
      const { packets, wrong } = read(readFileSync(file));
      const ours = packets.map(
        ({ seconds, nanos, length }) => `${seconds}.${String(nanos).padStart(9, '0')}\t${length}`,
      );
      expect([ours, wrong], form).toEqual([fields.trim().split('\n'), []]);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
