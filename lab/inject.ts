/** Sends frames into the guest's NIC, each at its time, and counts what comes back. */
import { setImmediate, setTimeout } from 'node:timers/promises';
import { RxError } from '../src/base/errors.js';
import type { Wire } from './wire.js';

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
  /** For each frame, when it was handed over to the emulator: host CLOCK_MONOTONIC, ns. */
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

/** The sender of frames, and the counter of what comes back. */
export class Injector {
  /** Frames the guest sent. */
  received = 0;
  /** Their bytes. */
  receivedBytes = 0;
  /** Called with every frame the guest sends. */
  onFrame: ((frame: Buffer) => void) | undefined;

  readonly #wire: Wire;

  /** Takes over a way into the NIC. */
  constructor(wire: Wire) {
    this.#wire = wire;
    wire.onFrame = (frame) => {
      this.received++;
      this.receivedBytes += frame.length;
      this.onFrame?.(frame);
    };
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
      const time = await this.#wire.hand(group);
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

  /** Closes the way; the guest's NIC then gets nothing more. */
  close(): void {
    this.onFrame = undefined;
    this.#wire.close();
  }
}
