/**
 * When the emulated NIC really gave each frame to the guest: read from QEMU's trace. Pure.
 *
 * The moment that counts is that in which the guest can find the frame: its descriptor is written (Intel), the used
 * index moved (virtio). QEMU traces something shortly before it and something behind it on the same thread, so the
 * moment lies between the two.
 */
import type { QemuEvent } from './qemu-trace.js';

/** Trace patterns that {@link nicArrivals} and {@link statusReads} need. Both Intel models share the e1000e ones. */
export const TRUTH_EVENTS = [
  'e1000e_rx_desc_buff_write',
  'igb_rx_desc_buff_write',
  'e1000e_rx_written_to_guest',
  'virtqueue_fill',
  'virtqueue_flush',
  'virtio_notify',
  'pckbd_kbd_read_status',
] as const;

/** QEMU's times are cut to microseconds: the event lies in this span behind its stamp. */
export const TRACE_STEP_NS = 1000n;

/** Something that the NIC gave to the guest. Host CLOCK_REALTIME, ns. */
export interface NicArrival {
  /** The guest could not find it before. */
  readonly from: bigint;
  /** The guest could find it by then. */
  readonly to: bigint;
  /** Bytes written. Of virtio with its header, 12 bytes; of Intel into the last buffer: all of a frame that fits one. */
  readonly length: number;
}

/** A queue of any device in the trace: what went through it, in order. Intel's are numbers, virtio's are addresses. */
export type NicQueues = ReadonlyMap<string, readonly NicArrival[]>;

/** What one thread of QEMU is about to give to the guest. */
interface Thread {
  /** Intel: the last copy. */
  copy?: { readonly time: bigint; readonly length: number };
  /** virtio: bytes filled per queue since it was flushed. */
  readonly filled: Map<string, number>;
  /** A flushed arrival whose end is not known yet: the thread's next event is behind it. */
  flushed?: { readonly queue: string; readonly from: bigint; readonly length: number };
}

const word = (text: string, pattern: RegExp): string => pattern.exec(text)?.[1] ?? '';

/** Everything that devices gave to the guest, by queue, in order. Queues of other virtio devices are among them. */
export function nicArrivals(events: readonly QemuEvent[]): NicQueues {
  const queues = new Map<string, NicArrival[]>();
  const threads = new Map<number, Thread>();
  const add = (queue: string, arrival: NicArrival): void => {
    const list = queues.get(queue);
    if (list === undefined) queues.set(queue, [arrival]);
    else list.push(arrival);
  };
  for (const { name, text, thread: id, time } of events) {
    let thread = threads.get(id);
    if (thread === undefined) threads.set(id, (thread = { filled: new Map() }));
    if (thread.flushed !== undefined) {
      const { queue, from, length } = thread.flushed;
      add(queue, { from, to: time + TRACE_STEP_NS, length });
      delete thread.flushed;
    }
    if (name.endsWith('_rx_desc_buff_write')) {
      thread.copy = { time, length: Number(word(text, /length: (\d+)/)) };
    } else if (name === 'e1000e_rx_written_to_guest') {
      if (thread.copy === undefined)
        throw new RangeError(`a frame was given at ${time} without having been copied`);
      const { time: from, length } = thread.copy;
      delete thread.copy;
      add(word(text, /queue (\d+)/), { from, to: time + TRACE_STEP_NS, length });
    } else if (name === 'virtqueue_fill') {
      const queue = word(text, /^vq (\S+)/);
      thread.filled.set(queue, (thread.filled.get(queue) ?? 0) + Number(word(text, / len (\d+)/)));
    } else if (name === 'virtqueue_flush') {
      const queue = word(text, /^vq (\S+)/);
      thread.flushed = { queue, from: time, length: thread.filled.get(queue) ?? 0 };
      thread.filled.delete(queue);
    }
  }
  return queues;
}

/**
 * The queue whose arrivals have exactly these lengths, in this order: no more, no fewer. Undefined when none has, and
 * then no packet can be told from another.
 */
export function queueWith(queues: NicQueues, lengths: readonly number[]): readonly NicArrival[] | undefined {
  return [...queues.values()].find(
    (queue) => queue.length === lengths.length && queue.every((one, index) => one.length === lengths[index]),
  );
}

/** When the keyboard controller's status was read: host CLOCK_REALTIME, ns, cut to microseconds. */
export function statusReads(events: readonly QemuEvent[]): bigint[] {
  return events.filter((event) => event.name === 'pckbd_kbd_read_status').map((event) => event.time);
}
