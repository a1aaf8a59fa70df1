/**
 * Sends frames into the guest's NIC, over the unix socket of QEMU's stream netdev. QEMU reads no further while the
 * NIC has no free descriptor, so nothing is lost on this side: what was sent is what the NIC got.
 */
import type { Socket } from 'node:net';
import { setImmediate, setTimeout } from 'node:timers/promises';
import { RxError } from '../src/base/errors.js';

/** When frames go. */
export interface Pacing {
  /** Least time between two bursts, microseconds; a late frame delays the ones behind it, nothing catches up. */
  readonly gapUs?: number;
  /** Frames handed over in one go; 1 unless said. */
  readonly burst?: number;
  /** Instead of a gap: no earlier than these times, host CLOCK_MONOTONIC in ns, one per frame. */
  readonly at?: readonly bigint[];
  /** Stops sending; what was sent is reported. */
  readonly signal?: AbortSignal;
}

/** What went out. */
export interface Sent {
  readonly count: number;
  readonly bytes: number;
  /** For each frame, when it was handed to the emulator's socket: host CLOCK_MONOTONIC, ns. */
  readonly times: readonly bigint[];
}

/** No run of the lab needs more; a typo must not flood the machine for hours. */
const MOST_FRAMES = 5_000_000;
/** Timers wake late by about this much; the rest is waited for in place. Milliseconds. */
const TIMER_SLACK_MS = 2;
const NS_PER_MS = 1e6;

const nap = new Int32Array(new SharedArrayBuffer(4));

/** Waits until a time of host CLOCK_MONOTONIC, within about 0.1 ms, without spinning. */
async function waitUntil(due: bigint): Promise<void> {
  for (;;) {
    const left = Number(due - process.hrtime.bigint()) / NS_PER_MS;
    if (left <= 0) return;
    if (left > TIMER_SLACK_MS) await setTimeout(left - TIMER_SLACK_MS / 2);
    else {
      await setImmediate();
      const rest = Number(due - process.hrtime.bigint()) / NS_PER_MS;
      // Sleeps this thread for less than two milliseconds: timers cannot.
      if (rest > 0.03) Atomics.wait(nap, 0, 0, rest - 0.02);
    }
  }
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

/** The sender of frames, and the counter of what comes back. */
export class Injector {
  /** Frames the guest sent. */
  received = 0;
  /** Their bytes. */
  receivedBytes = 0;
  /** Called with every frame the guest sends. */
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

  /**
   * Sends the frames in order and returns when the last is handed over.
   * @throws RXS_LAB when the guest is gone or the wish has no bounds
   */
  async send(frames: readonly Buffer[], pacing: Pacing = {}): Promise<Sent> {
    if (frames.length > MOST_FRAMES) {
      throw new RxError('RXS_LAB', {
        doing: 'sending frames',
        why: `${frames.length} frames are more than ${MOST_FRAMES}`,
        hint: 'send them in several calls',
      });
    }
    const burst = Math.max(1, Math.floor(pacing.burst ?? 1));
    const gap = BigInt(Math.round((pacing.gapUs ?? 0) * 1000));
    const times: bigint[] = [];
    let bytes = 0;
    let due = process.hrtime.bigint();
    for (let next = 0; next < frames.length && !pacing.signal?.aborted; ) {
      const group = frames.slice(next, next + (pacing.at === undefined ? burst : 1));
      await waitUntil(pacing.at?.[next] ?? due);
      if (pacing.signal?.aborted) break;
      const time = await this.#hand(withLength(group));
      for (const frame of group) {
        bytes += frame.length;
        times.push(time);
      }
      next += group.length;
      due = time + gap;
      // Without a gap the loop never waits; the frames that come back must still be read.
      if (gap === 0n && pacing.at === undefined) await setImmediate();
    }
    return { count: times.length, bytes, times };
  }

  /** Closes the connection; the guest's NIC then gets nothing more. */
  close(): void {
    this.onFrame = undefined;
    this.#socket.destroy();
  }

  /** Writes; returns the time at which the kernel had taken all of it. */
  async #hand(bytes: Buffer): Promise<bigint> {
    if (this.#gone !== undefined) {
      throw new RxError('RXS_LAB', {
        doing: 'sending frames',
        why: this.#gone,
        hint: 'look at the console log of the guest',
      });
    }
    // A socket with room takes the bytes in this very call; otherwise wait: that is the back-pressure of the NIC.
    const taken = new Promise<void>((resolve) => this.#socket.write(bytes, () => resolve()));
    if (this.#socket.writableLength > 0) await taken;
    return process.hrtime.bigint();
  }

  #take(chunk: Buffer): void {
    let data = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    while (data.length >= 4) {
      const length = data.readUInt32BE(0);
      if (data.length < 4 + length) break;
      this.received++;
      this.receivedBytes += length;
      this.onFrame?.(data.subarray(4, 4 + length));
      data = data.subarray(4 + length);
    }
    this.#rest = Buffer.from(data);
  }
}
