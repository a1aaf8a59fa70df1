/** What each kernel event tells the assembler: one table for every method that gives events one by one. */
import type { Assembler } from './assembler.js';

/** NET_RX_SOFTIRQ of include/linux/interrupt.h. */
const NET_RX = 3;

/** An event's fields, by the names of its tracefs format. A field that is not there: 0, or the empty text. */
export interface Fields {
  number(name: string): number;
  /** An address without its constant upper 16 bits: exact in a double. */
  address(name: string): number;
  text(name: string): string;
  /** common_pid: the task that was running. */
  readonly pid: number;
}

/** Tells the assembler of one event. */
export type Feed = (into: Assembler, cpu: number, time: number, fields: Fields) => void;

const packet: Feed = (into, cpu, time, fields) =>
  void into.packet(cpu, time, {
    skb: fields.address('skbaddr'),
    device: fields.text('name'),
    length: fields.number('len'),
    hash: fields.number('hash'),
    protocol: fields.number('protocol'),
    vlan: fields.number('vlan_tagged') === 0 ? 0 : fields.number('vlan_tci'),
    queue: fields.number('queue_mapping'),
  });

const forNetRx =
  (feed: Feed): Feed =>
  (into, cpu, time, fields) => {
    if (fields.number('vec') === NET_RX) feed(into, cpu, time, fields);
  };

/** By `system:event`. The net events are the ones of the stage table's driver stage. */
export const EVENTS: Readonly<Record<string, Feed>> = {
  'irq:irq_handler_entry': (into, cpu, time, fields) => into.isr(cpu, time, fields.number('irq')),
  'irq:irq_handler_exit': (into, cpu, time, fields) => into.exit(cpu, time, fields.number('irq')),
  'irq:softirq_raise': forNetRx((into, cpu, time) => into.raise(cpu, time)),
  'irq:softirq_entry': forNetRx((into, cpu, time) => into.softirq(cpu, time)),
  'irq:softirq_exit': forNetRx((into, cpu) => into.softirqExit(cpu)),
  'napi:napi_poll': (into, cpu, time, fields) =>
    into.pollEnd(cpu, time, {
      napi: fields.address('napi'),
      device: fields.text('dev_name'),
      work: fields.number('work'),
      budget: fields.number('budget'),
      pid: fields.pid,
    }),
  'net:napi_gro_receive_entry': packet,
  'net:napi_gro_frags_entry': packet,
  'net:netif_receive_skb_entry': packet,
  'net:netif_receive_skb_list_entry': packet,
  'net:netif_rx_entry': packet,
  'net:netif_receive_skb': (into, cpu, time, fields) => into.stack(cpu, time, fields.address('skbaddr')),
};

/** Names of the events that interrupts alone need. */
export const INTERRUPT_EVENTS: readonly string[] = ['irq:irq_handler_entry', 'irq:irq_handler_exit'];

/** Names of all events up to a stage. */
export function eventsUntil(interrupts: boolean, stack: boolean): readonly string[] {
  if (interrupts) return INTERRUPT_EVENTS;
  return Object.keys(EVENTS).filter((name) => stack || name !== 'net:netif_receive_skb');
}
