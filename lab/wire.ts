/** The ways into the guest's NIC. Cast: {@link Wire} what the injector needs, {@link SocketWire} QEMU's stream netdev. */
import type { Socket } from 'node:net';
import { RxError } from '../src/base/errors.js';

/** Takes frames for the guest and gives those it sends. */
export interface Wire {
  /** Called with every frame the guest sends. */
  onFrame: ((frame: Buffer) => void) | undefined;
  /**
   * Hands frames over in order; waits while there is no room for them.
   * @returns when the last one was taken: host CLOCK_MONOTONIC, ns
   * @throws RXS_LAB when the guest is gone, or a frame was not taken
   */
  hand(frames: readonly Buffer[]): Promise<bigint>;
  /** The guest's NIC then gets nothing more. */
  close(): void;
}

/** The error of a wire that takes no more frames. */
export function cannotSend(why: string): RxError {
  return new RxError('RXS_LAB', {
    doing: 'sending frames',
    why,
    hint: 'look at the console log of the guest',
  });
}

function withLength(frames: readonly Buffer[]): Buffer {
  const parts: Buffer[] = [];
  for (const frame of frames) {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(frame.length);
    parts.push(length, frame);
  }
  return Buffer.concat(parts);
}

/**
 * The unix socket of QEMU's stream netdev. QEMU reads no further while the NIC has no free descriptor, so nothing is
 * lost on this side: what was handed over is what the NIC got.
 */
export class SocketWire implements Wire {
  onFrame: ((frame: Buffer) => void) | undefined;
  #rest = Buffer.alloc(0);
  #gone: string | undefined;
  readonly #socket: Socket;

  /** Takes over a connection to QEMU's frame socket. */
  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('error', (error) => (this.#gone = error.message));
    socket.on('close', () => (this.#gone ??= 'QEMU has closed its end'));
  }

  async hand(frames: readonly Buffer[]): Promise<bigint> {
    if (this.#gone !== undefined) throw cannotSend(this.#gone);
    // A socket with room takes the bytes in this very call; otherwise wait: that is the back-pressure of the NIC.
    const taken = new Promise<void>((resolve) => this.#socket.write(withLength(frames), () => resolve()));
    if (this.#socket.writableLength > 0) await taken;
    return process.hrtime.bigint();
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    let data = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    while (data.length >= 4) {
      const length = data.readUInt32BE(0);
      if (data.length < 4 + length) break;
      this.onFrame?.(data.subarray(4, 4 + length));
      data = data.subarray(4 + length);
    }
    this.#rest = Buffer.from(data);
  }
}
