/**
 * What the ladder needs of a packet's headers: the bytes that a TCP segment carries, and which datagram a fragment is
 * part of. Numbers only; text is flow.ts.
 */
import { HEADER_WORDS, type Lane, PACKET_AT_ETHERNET } from '../record/lane.js';
import { EXTENSION_HEADERS, FRAGMENT_HEADER, TCP, UDP, VLAN_TAGS } from './protocols.js';

/** A view on the headers of one row; moved along, so that nothing is allocated per packet. */
export class Headers {
  /** True where the packet is a whole TCP segment, as far as the captured bytes tell. */
  tcp = false;
  udp = false;
  /** TCP: sequence number of the first byte it carries, and how many; -1: not captured. */
  sequence = 0;
  payload = -1;
  /** Part of a fragmented datagram, whichever part. */
  fragment = false;
  private bytes = new Uint8Array(0);
  private captured = 0;
  private network = 0;
  private six = false;

  /** Whether a row is part of a fragmented datagram; quick for most packets. */
  isFragment(lane: Lane, row: number): boolean {
    const { packets } = lane;
    const type = packets.protocol[row] as number;
    if (packets.flags[row] === 0 && (type === 0x0800 || type === 0x86dd)) {
      // IPv4: flags and offset; IPv6: next header. Both in the second word.
      const word = packets.header[row * HEADER_WORDS + 1] as number;
      if (type === 0x0800 && (word & 0xff3f_0000) === 0) return false;
      if (
        type === 0x86dd &&
        !(((word >>> 16) & 0xff) === FRAGMENT_HEADER || EXTENSION_HEADERS.has((word >>> 16) & 0xff))
      )
        return false;
    }
    return this.read(lane, row).fragment;
  }

  /** True where the meaning of a freed packet depends on what came before it on other CPUs. */
  needOrder(lane: Lane, row: number): boolean {
    const { tcp, payload, fragment } = this.read(lane, row);
    return (tcp && payload !== 0) || fragment;
  }

  /** Looks at a row. */
  read(lane: Lane, row: number): this {
    const { packets } = lane;
    const buffer = packets.header.buffer;
    if (this.bytes.buffer !== buffer) this.bytes = new Uint8Array(buffer);
    this.tcp = false;
    this.udp = false;
    this.fragment = false;
    this.payload = -1;
    const start = row * HEADER_WORDS * 4;
    this.captured = start + (packets.capturedLength[row] as number);
    let at = start;
    let type = packets.protocol[row] as number;
    if (((packets.flags[row] as number) & PACKET_AT_ETHERNET) !== 0) {
      if (!this.has(at, 14)) return this;
      type = this.u16(at + 12);
      at += 14;
    }
    while (VLAN_TAGS.has(type) && this.has(at, 4)) {
      type = this.u16(at + 2);
      at += 4;
    }
    this.network = at;
    this.six = type === 0x86dd;
    if (type === 0x0800) this.readIpv4(at);
    else if (this.six) this.readIpv6(at);
    return this;
  }

  /** The same for all fragments of one datagram, and for no others on their way then. */
  fragmentKey(): string {
    const at = this.network;
    const text = (from: number, bytes: number): string =>
      Buffer.from(this.bytes.buffer, from, bytes).toString('latin1');
    if (this.six) return text(at + 8, 32) + text(this.identification, 4);
    return text(at + 12, 8) + text(at + 9, 1) + text(at + 4, 2);
  }
  private identification = 0;

  private has(at: number, bytes: number): boolean {
    return at + bytes <= this.captured;
  }
  private u16(at: number): number {
    return ((this.bytes[at] as number) << 8) | (this.bytes[at + 1] as number);
  }

  private readIpv4(at: number): void {
    if (!this.has(at, 20)) return;
    this.udp = this.bytes[at + 9] === UDP;
    if ((this.u16(at + 6) & 0x3fff) !== 0) this.fragment = true;
    else if (this.bytes[at + 9] === TCP) {
      const headerBytes = ((this.bytes[at] as number) & 0x0f) * 4;
      this.readTcp(at + headerBytes, at + this.u16(at + 2));
    }
  }

  private readIpv6(at: number): void {
    if (!this.has(at, 40)) return;
    let protocol = this.bytes[at + 6] as number;
    let next = at + 40;
    while (EXTENSION_HEADERS.has(protocol) && this.has(next, 8)) {
      protocol = this.bytes[next] as number;
      next += ((this.bytes[next + 1] as number) + 1) * 8;
    }
    this.udp = protocol === UDP;
    if (protocol === FRAGMENT_HEADER && this.has(next, 8)) {
      this.udp = this.bytes[next] === UDP;
      this.fragment = true;
      this.identification = next + 4;
    } else if (protocol === TCP) this.readTcp(next, at + 40 + this.u16(at + 4));
  }

  /** @param end where the IP packet ends: Ethernet pads what is short */
  private readTcp(at: number, end: number): void {
    this.tcp = true;
    if (!this.has(at, 13)) return;
    const { bytes } = this;
    this.sequence = ((this.u16(at + 4) << 16) | this.u16(at + 6)) >>> 0;
    this.payload = Math.max(0, end - at - ((bytes[at + 12] as number) >>> 4) * 4);
  }
}
