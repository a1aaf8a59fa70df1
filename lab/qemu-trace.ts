/** Reads QEMU's own trace: when the emulated NIC wrote a frame, when it raised an interrupt. The truth of lab tests. */
import { clockOffset } from '../src/sys/clock.js';

/** One trace event. */
export interface QemuEvent {
  /** Host thread of QEMU: the main loop for devices, one per emulated CPU for register accesses. */
  readonly thread: number;
  /** Host CLOCK_REALTIME, ns, in steps of a microsecond. */
  readonly time: bigint;
  readonly name: string;
  readonly text: string;
}

const LINE = /^(\d+)@(\d+)\.(\d{6}):(\w+) ?(.*)$/;

/** The events of a trace log, in its order. Lines that are no events (warnings of QEMU) are left out. */
export function parseQemuTrace(text: string): QemuEvent[] {
  return text.split('\n').flatMap((line) => {
    const match = LINE.exec(line);
    if (match === null) return [];
    const [, thread, seconds = '0', micros = '0', name = '', rest = ''] = match;
    return [{ thread: Number(thread), time: BigInt(seconds + micros) * 1000n, name, text: rest }];
  });
}

/**
 * What to add to host CLOCK_MONOTONIC (the injector's times) to get host CLOCK_REALTIME (the trace's times), ns. Right
 * to some microseconds as long as nobody sets the clock.
 */
export function realtimeOffset(): bigint {
  // The narrowest of several brackets: a process that is held up inside of one does not shift the truth.
  return clockOffset('real').offset;
}
