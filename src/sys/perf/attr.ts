/** struct perf_event_attr for tracepoints, and the words of perf's interface. Layouts: include/uapi/linux/perf_event.h. */

/** PERF_ATTR_SIZE_VER5: all that is set here, known to every kernel since 4.1. */
const ATTR_BYTES = 112;
const TYPE_TRACEPOINT = 2;
const CLOCK_MONOTONIC = 1;

const SAMPLE = { time: 4, cpu: 128, raw: 1024, identifier: 0x1_0000 } as const;

/** Bits of the flag word. */
const FLAG = { disabled: 1, watermark: 1 << 14, sampleIdAll: 1 << 18, useClockid: 1 << 25 } as const;

/** read() of an event gives, behind the count, how many samples found no room (6.0, 119a784c8127). */
export const READ_LOST = 16;

/** Types of records in the ring, enum perf_event_type. */
export const RECORD = { lost: 2, throttle: 5, unthrottle: 6, sample: 9, lostSamples: 13 } as const;

/** Requests of perf's file descriptors. */
export const IOC = {
  enable: 0x2400,
  disable: 0x2401,
  setOutput: 0x2405,
  setFilter: 0x4008_2406,
  id: 0x8008_2407,
} as const;

/**
 * A tracepoint's attributes: one sample per hit with time (CLOCK_MONOTONIC), CPU and the event's bytes; off until it is
 * switched on, and nobody is woken before the ring is full.
 * @param id the tracepoint's number in tracefs
 */
export function tracepointAttr(id: number, readFormat: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(ATTR_BYTES));
  view.setUint32(0, TYPE_TRACEPOINT, true);
  view.setUint32(4, ATTR_BYTES, true);
  view.setBigUint64(8, BigInt(id), true);
  view.setBigUint64(16, 1n, true); // sample_period
  view.setBigUint64(24, BigInt(SAMPLE.time | SAMPLE.cpu | SAMPLE.raw | SAMPLE.identifier), true);
  view.setBigUint64(32, BigInt(readFormat), true);
  view.setBigUint64(40, BigInt(FLAG.disabled | FLAG.watermark | FLAG.sampleIdAll | FLAG.useClockid), true);
  view.setUint32(48, 0xffff_ffff, true); // wakeup_watermark: a wake-up is an interrupt on the CPU that is looked at
  view.setInt32(92, CLOCK_MONOTONIC, true);
  return new Uint8Array(view.buffer);
}
