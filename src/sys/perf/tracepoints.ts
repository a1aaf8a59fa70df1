/** Tracepoints of this kernel: their numbers and fields, from tracefs. */
import { RxError } from '../../base/errors.js';
import { HOST, type KernelFiles } from '../files.js';
import { type EventFormat, parseEventFormat } from '../tracefs-format.js';

const PLACES = ['/sys/kernel/tracing', '/sys/kernel/debug/tracing'];

/**
 * The format of an event, `irq:irq_handler_entry`; undefined when this kernel does not have it.
 * @throws RxError RXS_TRACEFS when no event can be read at all
 */
export function tracepointFormat(name: string, files: KernelFiles = HOST): EventFormat | undefined {
  const root = PLACES.find((place) => files.has(`${place}/events`));
  if (root === undefined) {
    throw new RxError('RXS_TRACEFS', {
      doing: 'looking for the events of this kernel in',
      subject: PLACES.join(' or '),
      why: 'nothing is there, or it may not be read',
      hint: 'run it as root, and: mount -t tracefs tracefs /sys/kernel/tracing',
    });
  }
  const text = files.text(`${root}/events/${name.replace(':', '/')}/format`);
  return text === undefined ? undefined : parseEventFormat(text);
}
