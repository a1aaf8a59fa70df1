/** Lines of kernel events: which of them are used, whoever wrote them. */
import { EVENTS, type Feed } from '../method/events/table.js';
import type { Findings, LineKind } from './format.js';
import { textFields } from './text-fields.js';

/** By name without system: text of ftrace has none. */
const FEEDS: ReadonlyMap<string, Feed> = new Map(
  Object.entries(EVENTS).map(([name, feed]) => [name.replace(/^.*:/, ''), feed]),
);

/** A probe on the interrupt's entry or on a flow handler, as kprobe_events and their kin print it: `(handle_edge_irq+0x4/0x1f0) irq=25`. */
const PROBE =
  /^\((__common_interrupt|do_IRQ|handle_edge_irq|handle_fasteoi_irq|handle_level_irq)(?:\+0x[0-9a-f]+)?(?:\/0x[0-9a-f]+)?\)\s*(.*)$/;

/** What these tell the assembler, under names of their own. */
const vectorFeed: Feed = (into, cpu, time, fields) => into.entry(cpu, time, -1, fields.number('vector'));
const lineFeed: Feed = (into, cpu, time, fields) => into.entry(cpu, time, fields.number('irq'));

/** Names that {@link eventLine} gives to probes. */
export const PROBED = { vector: 'entry (vector)', line: 'entry (irq)' } as const;

/** Where and when an event was. */
export interface EventPlace {
  readonly cpu: number;
  readonly seconds: number;
  readonly nanos: number;
  readonly pid: number;
  readonly task: string;
}

/** `.123456` or `.123456789` as nanoseconds. */
export const nanosOf = (digits: string): number => Number(digits.padEnd(9, '0'));

/** Highest CPU number that a kernel is built for, and one (CONFIG_NR_CPUS of MAXSMP). */
export const MOST_CPUS = 8192;

/** One line's event. @param name without its system */
export function eventLine(place: EventPlace, name: string, text: string, into: Findings): LineKind {
  const { cpu, seconds, nanos, task } = place;
  if (cpu >= MOST_CPUS) return 'malformed';
  const feed = FEEDS.get(name);
  if (feed === undefined) return probeLine(place, text, into);
  const fields = textFields(name, place.pid, text);
  if (fields === undefined) return 'malformed';
  into.event({ cpu, seconds, nanos, name, feed, fields, task });
  return 'record';
}

function probeLine({ cpu, seconds, nanos, pid, task }: EventPlace, text: string, into: Findings): LineKind {
  const probe = PROBE.exec(text);
  if (probe === null) return 'other';
  const fields = textFields('', pid, probe[2] ?? '');
  const what = fields?.hasNumber('irq') ? 'line' : fields?.hasNumber('vector') ? 'vector' : undefined;
  if (fields === undefined || what === undefined) return 'other';
  const feed = what === 'line' ? lineFeed : vectorFeed;
  into.event({ cpu, seconds, nanos, name: PROBED[what], feed, fields, task });
  return 'record';
}

/** How the stages are stamped by events in a file. */
export const EVENT_STAGES = {
  entry: 'a probe on the entry or the flow handler, where the file has one',
  isr: 'irq_handler_entry',
  raise: 'softirq_raise',
  softirq: 'softirq_entry',
  driver: 'napi_gro_receive_entry, netif_receive_skb_entry and their kin',
  stack: 'netif_receive_skb',
} as const;
