/**
 * Captures: pcap and pcapng (draft-ietf-opsawg-pcap, -pcapng), as tcpdump and Wireshark write them, read block by block as
 * they come. Nothing but stamps and headers is kept, and memory does not grow with the file.
 */
import { framed, kept } from './capture-packet.js';
import type { CapturedPacket, FileFormat } from './format.js';

/** Where the packets go. */
export interface CaptureSink {
  /** A packet; or undefined with why it is none, empty where there is nothing wrong with it. */
  block(packet: CapturedPacket | undefined, why?: string): void;
  /** What the capture says it did not get. */
  lost(count: number, cpu: number): void;
}

/** No packet or block is longer; what says so is damaged. */
const LONGEST = 16 * 1024 * 1024;

const PCAP = { micro: 0xa1b2c3d4, nano: 0xa1b23c4d } as const;
const SECTION = 0x0a0d0d0a;
const ORDER = 0x1a2b3c4d;
const BLOCK = { interface: 1, simple: 3, statistics: 5, packet: 6 } as const;
const OPTION = { resolution: 9, offset: 14, flags: 2, dropped: 5, droppedBySystem: 7 } as const;
/** epb_flags, bits 0 and 1. */
const OUTBOUND = 2;

interface CaptureInterface {
  readonly link: number;
  /** Units of its stamps in a second. */
  readonly units: bigint;
  readonly offset: number;
  dropped: number;
}

/** So many bytes tell whether a file is a capture. */
export const MAGIC_BYTES = 12;

/** What a file that begins with these bytes is; undefined: no capture, or less than {@link MAGIC_BYTES}. */
export function captureKind(bytes: Buffer): 'pcap' | 'pcapng' | undefined {
  if (bytes.length < MAGIC_BYTES) return undefined;
  const [little, big] = [bytes.readUInt32LE(0), bytes.readUInt32BE(0)];
  // Its first four bytes are line ends alone.
  if (little === SECTION)
    return bytes.readUInt32LE(8) === ORDER || bytes.readUInt32BE(8) === ORDER ? 'pcapng' : undefined;
  return [PCAP.micro, PCAP.nano].some((magic) => magic === little || magic === big) ? 'pcap' : undefined;
}

/** Both. */
export const CAPTURE: FileFormat = {
  name: 'pcap',
  sentence: 'captures of tcpdump and Wireshark: pcap, pcapng',
  tells: 'packets',
  parts: 'blocks',
  stages: {
    stack:
      'the capture’s stamp, taken where packet sockets see packets (or by the NIC: the file does not tell)',
  },
  note: 'a capture does not tell CPU or interrupt of a packet, and mostly not which packets were sent: those are shown too',
};

/** Reads a capture. Errors in it end it: behind a wrong length nothing can be found again. */
export class CaptureReader {
  private readonly sink: CaptureSink;
  private rest: Buffer = Buffer.alloc(0);
  private kind: 'pcap' | 'pcapng' | undefined;
  private little = true;
  private nano = false;
  private link = 0;
  private interfaces: CaptureInterface[] = [];
  private broken = false;

  constructor(sink: CaptureSink) {
    this.sink = sink;
  }

  add(piece: Buffer): void {
    if (this.broken) return;
    this.rest = this.rest.length === 0 ? piece : Buffer.concat([this.rest, piece]);
    for (let used = this.one(); used > 0; used = this.one()) this.rest = this.rest.subarray(used);
    if (this.broken) this.rest = Buffer.alloc(0);
  }

  end(): void {
    if (!this.broken && this.rest.length > 0)
      this.sink.block(
        undefined,
        `the file ends in the middle of it, ${this.rest.length} bytes from its beginning`,
      );
    this.endSection();
  }

  private endSection(): void {
    for (const { dropped } of this.interfaces) this.sink.lost(dropped, -1);
    this.interfaces = [];
  }

  private breaks(why: string): number {
    this.broken = true;
    this.sink.block(undefined, `${why}; what is behind it cannot be found`);
    return 0;
  }

  private u16(at: number, bytes = this.rest): number {
    return this.little ? bytes.readUInt16LE(at) : bytes.readUInt16BE(at);
  }

  private u32(at: number, bytes = this.rest): number {
    return this.little ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at);
  }

  /** Reads what is whole at the front. @returns its bytes, 0: it is not whole yet */
  private one(): number {
    if (this.kind === undefined) {
      if (this.rest.length < MAGIC_BYTES) return 0;
      this.kind = captureKind(this.rest);
      if (this.kind === undefined) return this.breaks('it is no capture');
    }
    return this.kind === 'pcap' ? this.record() : this.ngBlock();
  }

  private record(): number {
    if (this.interfaces.length === 0) return this.fileHeader();
    if (this.rest.length < 16) return 0;
    const [captured, length] = [this.u32(8), this.u32(12)];
    if (captured > LONGEST) return this.breaks(`it says that it has ${captured} bytes`);
    if (this.rest.length < 16 + captured) return 0;
    const fraction = this.u32(4);
    const nanos = this.nano ? fraction : fraction * 1000;
    if (nanos >= 1e9) this.sink.block(undefined, `its time is ${fraction} behind the second`);
    else this.give(this.link, this.u32(0), nanos, length, this.rest.subarray(16, 16 + captured), false);
    return 16 + captured;
  }

  private fileHeader(): number {
    if (this.rest.length < 24) return 0;
    const magic = this.rest.readUInt32LE(0);
    this.little = magic === PCAP.micro || magic === PCAP.nano;
    this.nano = this.u32(0) === PCAP.nano;
    // The upper bits tell whether the frame check sequence was kept.
    this.link = this.u32(20) & 0xffff;
    this.interfaces = [{ link: this.link, units: 1n, offset: 0, dropped: 0 }];
    return 24;
  }

  private ngBlock(): number {
    if (this.rest.length < 12) return 0;
    // A section may have another byte order than the one before.
    if (this.rest.readUInt32LE(0) === SECTION) {
      if (this.rest.readUInt32LE(8) === ORDER) this.little = true;
      else if (this.rest.readUInt32BE(8) === ORDER) this.little = false;
      else return this.breaks('its byte order is none');
    }
    const type = this.u32(0);
    const length = this.u32(4);
    if (length < 12 || length % 4 !== 0 || length > LONGEST)
      return this.breaks(`it says that it has ${length} bytes`);
    if (this.rest.length < length) return 0;
    if (this.u32(length - 4) !== length) return this.breaks('its two lengths are not the same');
    this.ngBody(type, this.rest.subarray(8, length - 4));
    return length;
  }

  private ngBody(type: number, body: Buffer): void {
    if (type === SECTION) {
      this.endSection();
      this.sink.block(undefined);
    } else if (type === BLOCK.interface && body.length >= 8) {
      this.interfaces.push(this.interfaceOf(body));
      this.sink.block(undefined);
    } else if (type === BLOCK.statistics && body.length >= 12) {
      this.statistics(body);
      this.sink.block(undefined);
    } else if (type === BLOCK.packet && body.length >= 20) {
      this.packet(body);
    } else if (type === BLOCK.simple || type === 2) {
      this.sink.block(undefined, type === 2 ? 'it is of an obsolete form' : 'it is a packet without a time');
    } else if (type === BLOCK.interface || type === BLOCK.statistics || type === BLOCK.packet) {
      this.sink.block(undefined, 'it is too short');
    } else this.sink.block(undefined);
  }

  /** The value of an option; undefined: it is not there, or what is there is damaged. */
  private option(body: Buffer, from: number, wanted: number, bytes: number): Buffer | undefined {
    for (let at = from; at + 4 <= body.length; ) {
      const [code, length] = [this.u16(at, body), this.u16(at + 2, body)];
      if (code === 0) return undefined;
      if (code === wanted && length === bytes && at + 4 + length <= body.length)
        return body.subarray(at + 4, at + 4 + length);
      at += 4 + Math.ceil(length / 4) * 4;
    }
    return undefined;
  }

  private big(value: Buffer | undefined): bigint {
    if (value === undefined) return 0n;
    return this.little ? value.readBigInt64LE(0) : value.readBigInt64BE(0);
  }

  private interfaceOf(body: Buffer): CaptureInterface {
    const resolution = this.option(body, 8, OPTION.resolution, 1)?.[0] ?? 6;
    const exponent = BigInt(resolution & 0x7f);
    const units = (resolution & 0x80) === 0 ? 10n ** exponent : 2n ** exponent;
    const offset = Number(this.big(this.option(body, 8, OPTION.offset, 8)));
    return { link: this.u16(0, body), units, offset, dropped: 0 };
  }

  /** Counts since the capture began; the last block of an interface has them all. */
  private statistics(body: Buffer): void {
    const of = this.interfaces[this.u32(0, body)];
    if (of === undefined) return;
    const count = (code: number): number => Math.max(0, Number(this.big(this.option(body, 12, code, 8))));
    of.dropped = Math.max(of.dropped, count(OPTION.dropped) + count(OPTION.droppedBySystem));
  }

  private packet(body: Buffer): void {
    const of = this.interfaces[this.u32(0, body)];
    const [captured, length] = [this.u32(12, body), this.u32(16, body)];
    if (of === undefined) return this.sink.block(undefined, 'it is of an interface that was not told');
    if (20 + captured > body.length)
      return this.sink.block(undefined, `it says that it has ${captured} bytes`);
    const units = (BigInt(this.u32(4, body)) << 32n) | BigInt(this.u32(8, body));
    const seconds = Number(units / of.units) + of.offset;
    const nanos = Number(((units % of.units) * 1_000_000_000n) / of.units);
    if (!Number.isSafeInteger(seconds) || seconds < 0) return this.sink.block(undefined, 'its time is none');
    const flags = this.option(body, 20 + Math.ceil(captured / 4) * 4, OPTION.flags, 4);
    const sent = flags !== undefined && (this.u32(0, flags) & 3) === OUTBOUND;
    return this.give(of.link, seconds, nanos, length, body.subarray(20, 20 + captured), sent);
  }

  private give(
    link: number,
    seconds: number,
    nanos: number,
    length: number,
    bytes: Buffer,
    outbound: boolean,
  ): void {
    const frame = framed(link, bytes);
    if (frame === undefined) {
      this.sink.block(undefined, `no packet is found in it (link type ${link}, ${bytes.length} bytes kept)`);
      return;
    }
    const { at, protocol, sent } = frame;
    // Only what was received arrived.
    if (sent || outbound) return this.sink.block(undefined);
    const packet = { seconds, nanos, length: Math.max(0, length - at), protocol, bytes: kept(bytes, at) };
    return this.sink.block(packet);
  }
}
