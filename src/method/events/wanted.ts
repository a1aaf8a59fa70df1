/** Which events a method listens to for a request, each with the filter that the kernel is given: ftrace's and perf's are one language. */
import type { StageWay } from '../../record/source.js';
import { HOOKED_STAGES, type StageName, stageIndex } from '../../stages.js';
import type { MethodRequest } from '../method.js';
import { eventsUntil } from './table.js';

/** An event and its filter. */
export interface WantedEvent {
  /** `irq:irq_handler_entry`. */
  readonly name: string;
  /** `irq==25||irq==26`; undefined: all of them. */
  readonly filter: string | undefined;
}

type Asked = Pick<MethodRequest, 'irqs' | 'irqOnly' | 'interrupts' | 'interfaces' | 'until'>;

const any = (terms: readonly string[]): string | undefined =>
  terms.length === 0 ? undefined : terms.join('||');

/** `name=="eth0"`. A name with both kinds of quotes cannot be said, and is left to the reader. */
function named(field: string, { interfaces }: Asked): string | undefined {
  const names = interfaces.map(({ name }) => name);
  if (names.some((name) => name.includes('"') && name.includes("'"))) return undefined;
  return any(names.map((name) => (name.includes('"') ? `${field}=='${name}'` : `${field}=="${name}"`)));
}

/** Only packets of the wanted interrupts' queues, where a queue is what was asked for. The events have queue + 1. */
function ofQueues({ irqs, irqOnly }: Asked): string | undefined {
  const queues = [...new Set(irqs.map(({ queue }) => queue))];
  if (!irqOnly || queues.includes(undefined)) return undefined;
  return any(queues.map((queue) => `queue_mapping==${(queue ?? 0) + 1}`));
}

function filterOf(event: string, asked: Asked, oneQueue: boolean): string | undefined {
  const [system = '', name = ''] = event.split(':');
  if (name.startsWith('irq_handler_')) return any(asked.irqs.map(({ irq }) => `irq==${irq}`));
  if (system === 'irq') return 'vec==3'; // NET_RX_SOFTIRQ
  if (system === 'napi') return named('dev_name', asked);
  const interfaces = named('name', asked);
  // Behind the driver stage the kernel does not tell the queue; those skbs are found by their address.
  const queues = oneQueue || name === 'netif_receive_skb' ? undefined : ofQueues(asked);
  if (interfaces === undefined || queues === undefined) return interfaces ?? queues;
  return `(${interfaces})&&(${queues})`;
}

/**
 * The events for a request, in the order in which they are to be switched on: the first poll whose end is seen is the
 * last one whose interrupt may have been missed.
 * @param oneQueue the interfaces have one receive queue each: their drivers may not record it
 */
export function wantedEvents(asked: Asked, oneQueue: boolean): readonly WantedEvent[] {
  const stack = stageIndex(asked.until) >= stageIndex('stack');
  const names = eventsUntil(asked.interrupts, stack)
    .filter((name) => asked.irqs.length > 0 || name.startsWith('net:'))
    .sort((a, b) => Number(a.startsWith('napi:')) - Number(b.startsWith('napi:')));
  return names.map((name) => ({ name, filter: filterOf(name, asked, oneQueue) }));
}

/** Which events stamp a stage, and why no others do. */
const STAGE_EVENTS: Readonly<Partial<Record<StageName, RegExp | string>>> = {
  entry: 'no event lies before the handler (irq_vectors has the CPU’s own vectors only)',
  isr: /^irq:irq_handler_entry$/,
  raise: /^irq:softirq_raise$/,
  softirq: /^irq:softirq_entry$/,
  poll: 'no event begins a poll: napi_poll fires behind it',
  driver: /^net:(napi_|netif_receive_skb_|netif_rx_)/,
  stack: /^net:netif_receive_skb$/,
};

/** How each stage is stamped by events. @param by `tracepoint`, `ftrace event`: what comes before their names */
export function eventWays(asked: Asked, events: readonly WantedEvent[], by: string): readonly StageWay[] {
  const until = asked.interrupts ? 'isr' : asked.until;
  const last = Math.max(stageIndex(until), asked.interrupts ? 0 : stageIndex('driver'));
  const first = asked.irqs.length > 0 ? 0 : stageIndex('driver');
  return HOOKED_STAGES.filter(({ name }) => stageIndex(name) >= first && stageIndex(name) <= last).map(
    ({ name: stage }) => {
      const found = STAGE_EVENTS[stage];
      if (found instanceof RegExp) {
        const names = events
          .filter(({ name }) => found.test(name))
          .map(({ name }) => name.replace(/.*:/, ''));
        if (names.length > 0) return { stage, hook: `${by} ${names.join(', ')}`, reasons: [] };
      }
      return { stage, hook: undefined, reasons: [typeof found === 'string' ? found : 'no event is there'] };
    },
  );
}
