/**
 * One TCP connection into the guest, segment by segment: what goes out, when and how often is the caller's choice. Only
 * what that needs: no options but the segment size, no congestion control; the guest's window is kept.
 */
import { setTimeout } from 'node:timers/promises';
import { RxError } from '../src/base/errors.js';
import { ADDRESSES, addressBytes, checksum, ipFrame, pseudoHeader } from './frames.js';
import type { Injector } from './inject.js';

const TCP = 6;
const FIN = 1;
const SYN = 2;
const RST = 4;
const ACK = 16;
const ETHERNET = 14;
const PATIENCE_MS = 20_000;

/** Where to, and from where. */
export interface Connection {
  readonly port: number;
  readonly sourcePort: number;
  readonly version?: 4 | 6;
  /** First sequence number: near 2^32 it wraps. */
  readonly sequence?: number;
}

/** The peer's end of a connection. */
export class TcpPeer {
  /** Segments sent, pure acknowledgements and all. */
  sent = 0;
  /** True once the guest has reset the connection. */
  reset = false;
  /** True once the guest has closed its side. */
  closed = false;
  readonly #injector: Injector;
  readonly #to: Connection;
  readonly #source: string;
  readonly #target: string;
  #next: number;
  #acknowledged: number;
  #window = 0;
  #theirs = 0;
  #open = false;

  constructor(injector: Injector, to: Connection) {
    this.#injector = injector;
    this.#to = to;
    this.#source = to.version === 6 ? ADDRESSES.peer6 : ADDRESSES.peer4;
    this.#target = to.version === 6 ? ADDRESSES.guest6 : ADDRESSES.guest4;
    this.#next = (to.sequence ?? 1000) >>> 0;
    this.#acknowledged = this.#next;
    injector.onFrame = (frame) => this.#take(frame);
  }

  /** Sequence number of the next byte. */
  get next(): number {
    return this.#next;
  }

  /** Opens the connection. @throws RXS_LAB when the guest does not answer */
  async connect(): Promise<void> {
    await this.send([this.#frame(this.#next, SYN, Buffer.alloc(0))]);
    this.#next = (this.#next + 1) >>> 0;
    await this.#until(() => this.#open || this.reset, 'opening a TCP connection');
    if (this.reset) throw this.#failed('opening a TCP connection', 'the guest refused it');
    await this.send([this.#frame(this.#next, ACK, Buffer.alloc(0))]);
  }

  /** A segment at a sequence number of choice; nothing is remembered of it. */
  segment(sequence: number, bytes: number): Buffer {
    // Without PSH, behind which GRO would not wait for more.
    return this.#frame(sequence >>> 0, ACK, Buffer.alloc(bytes, 0x61));
  }

  /** Counts bytes as sent that {@link segment} made. */
  advance(bytes: number): void {
    this.#next = (this.#next + bytes) >>> 0;
  }

  /** Sends frames in one go. */
  async send(frames: readonly Buffer[]): Promise<void> {
    this.sent += frames.length;
    await this.#injector.send(frames, { burst: frames.length });
  }

  /** Sends `bytes` in segments of `size`, up to `burst` of them at once, as the guest's window allows. */
  async write(bytes: number, size: number, burst: number): Promise<void> {
    for (let left = bytes; left > 0; ) {
      const room = (): number => this.#window - ((this.#next - this.#acknowledged) | 0);
      await this.#until(() => room() >= Math.min(size, left) || this.reset, 'writing to a TCP connection');
      if (this.reset) throw this.#failed('writing to a TCP connection', 'the guest reset it');
      const frames: Buffer[] = [];
      while (frames.length < burst && left > 0 && room() >= Math.min(size, left)) {
        const part = Math.min(size, left);
        frames.push(this.segment(this.#next, part));
        this.advance(part);
        left -= part;
      }
      await this.send(frames);
    }
  }

  /** Waits until the guest has acknowledged everything. */
  async settled(): Promise<void> {
    await this.#until(() => this.#acknowledged === this.#next, 'waiting for acknowledgements');
  }

  /** Ends our side. */
  async finish(): Promise<void> {
    await this.send([this.#frame(this.#next, FIN | ACK, Buffer.alloc(0))]);
    this.#next = (this.#next + 1) >>> 0;
  }

  async #until(done: () => boolean, doing: string): Promise<void> {
    for (let waited = 0; !done(); waited += 2) {
      if (waited > PATIENCE_MS) throw this.#failed(doing, `no answer for ${PATIENCE_MS / 1000} s`);
      await setTimeout(2);
    }
  }

  #failed(doing: string, why: string): RxError {
    return new RxError('RXS_LAB', {
      doing,
      subject: `port ${this.#to.port}`,
      why,
      hint: 'look at the guest',
    });
  }

  #frame(sequence: number, flags: number, payload: Buffer): Buffer {
    const options = (flags & SYN) !== 0 ? Buffer.from([2, 4, 5, 180]) : Buffer.alloc(0);
    const head = Buffer.alloc(20);
    head.writeUInt16BE(this.#to.sourcePort, 0);
    head.writeUInt16BE(this.#to.port, 2);
    head.writeUInt32BE(sequence, 4);
    head.writeUInt32BE((flags & ACK) !== 0 ? this.#theirs : 0, 8);
    head[12] = ((20 + options.length) / 4) << 4;
    head[13] = flags;
    head.writeUInt16BE(0xffff, 14);
    const body = Buffer.concat([head, options, payload]);
    const [src, dst] = [addressBytes(this.#source), addressBytes(this.#target)];
    body.writeUInt16BE(checksum(pseudoHeader(TCP, body.length, src, dst), body), 16);
    return ipFrame(TCP, body, this.#source, this.#target, ADDRESSES.peerMac, ADDRESSES.guestMac);
  }

  #take(frame: Buffer): void {
    const six = frame.readUInt16BE(12) === 0x86dd;
    if (six !== (this.#to.version === 6) || (!six && frame.readUInt16BE(12) !== 0x0800)) return;
    const at = ETHERNET + (six ? 40 : 20);
    if (frame[ETHERNET + (six ? 6 : 9)] !== TCP || frame.length < at + 20) return;
    if (frame.readUInt16BE(at) !== this.#to.port || frame.readUInt16BE(at + 2) !== this.#to.sourcePort)
      return;
    const flags = frame[at + 13] as number;
    if ((flags & RST) !== 0) this.reset = true;
    if ((flags & SYN) !== 0) {
      this.#theirs = (frame.readUInt32BE(at + 4) + 1) >>> 0;
      this.#open = true;
    }
    if ((flags & FIN) !== 0) this.closed = true;
    if ((flags & ACK) === 0) return;
    this.#acknowledged = frame.readUInt32BE(at + 8);
    this.#window = frame.readUInt16BE(at + 14); // scaling was not offered, so it is not used
  }
}
