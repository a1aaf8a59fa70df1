/**
 * When the emulated NIC really gave each frame to the guest: read from QEMU's trace. Pure.
 *
 * QEMU copies the frame, writes the descriptor (from then on the guest can find the frame), and traces that it did so,
 * all on one thread. The moment of the descriptor therefore lies between the trace of the copy and the trace behind it.
 */
import type { QemuEvent } from './qemu-trace.js';

/** Trace patterns that {@link nicArrivals} and {@link statusReads} need. Both Intel models share the e1000e ones. */
export const TRUTH_EVENTS = [
  'e1000e_rx_desc_buff_write',
  'igb_rx_desc_buff_write',
  'e1000e_rx_written_to_guest',
  'pckbd_kbd_read_status',
] as const;

/** QEMU's times are cut to microseconds: the event lies in this span behind its stamp. */
export const TRACE_STEP_NS = 1000n;

/** One frame that the NIC gave to the guest. Host CLOCK_REALTIME, ns. */
export interface NicArrival {
  readonly queue: number;
  /** Its descriptor was not written before. */
  readonly from: bigint;
  /** Its descriptor was written by then. */
  readonly to: bigint;
  /** Bytes of the frame that were copied last, of one buffer: all of a frame that fits one. */
  readonly length: number;
}

/** The frames in the order in which the NIC gave them. */
export function nicArrivals(events: readonly QemuEvent[]): NicArrival[] {
  /** Per thread of QEMU: the copy that a written descriptor will follow. */
  const copies = new Map<number, { readonly time: bigint; readonly length: number }>();
  const arrivals: NicArrival[] = [];
  for (const { name, text, thread, time } of events) {
    if (name.endsWith('_rx_desc_buff_write')) {
      copies.set(thread, { time, length: Number(/length: (\d+)/.exec(text)?.[1]) });
    } else if (name === 'e1000e_rx_written_to_guest') {
      const copy = copies.get(thread);
      if (copy === undefined) throw new RangeError(`a frame was given at ${time} without having been copied`);
      copies.delete(thread);
      const queue = Number(/queue (\d+)/.exec(text)?.[1]);
      arrivals.push({ queue, from: copy.time, to: time + TRACE_STEP_NS, length: copy.length });
    }
  }
  return arrivals;
}

/** When the keyboard controller's status was read: host CLOCK_REALTIME, ns, cut to microseconds. */
export function statusReads(events: readonly QemuEvent[]): bigint[] {
  return events.filter((event) => event.name === 'pckbd_kbd_read_status').map((event) => event.time);
}
