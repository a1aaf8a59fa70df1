/**
 * perf as a method: what `perf record -e irq:irq_handler_entry --filter 'irq == 25' -a` does, without perf's file and
 * without its start-up time. The events are the kernel's tracepoints, filtered there; each hit costs several times what
 * a BPF program on the same tracepoint costs, because a whole sample is written (docs/methods.md has the numbers).
 *
 * Which hits are lost without a trace in the ring: those in a context (task, softirq, hard interrupt, NMI) that is in the
 * middle of a sample already (perf_swevent_get_recursion_context), before the count too; nothing counts those.
 */
import { onlineCpus } from '../../sys/cpus.js';
import { interfaceFacts } from '../../sys/interfaces.js';
import { perfRefuses } from '../../sys/perf/events.js';
import { parseEventFormat } from '../../sys/tracefs-format.js';
import { Tracefs } from '../../sys/tracefs.js';
import { eventWays, wantedEvents } from '../events/wanted.js';
import type { Method, MethodRequest } from '../method.js';
import { tried } from '../possible.js';
import { PerfSource, type PerfTracepoint } from './source.js';

function tracepoints(request: MethodRequest): PerfTracepoint[] {
  const oneQueue = request.interfaces.every(({ name }) => (interfaceFacts(name)?.rxQueues ?? 1) <= 1);
  const tracefs = Tracefs.open();
  return wantedEvents(request, oneQueue).flatMap(({ name, filter }) => {
    const file = `events/${name.replace(':', '/')}/format`;
    if (!tracefs.has(file)) return [];
    const format = parseEventFormat(tracefs.read(file));
    return [{ name, filter, id: format.id, format }];
  });
}

/** Why it does not work here; undefined: it does. */
function obstacle(request: MethodRequest): string | undefined {
  const events = tracepoints(request);
  const [first] = events;
  const needed = request.interrupts ? 'irq:irq_handler_entry' : 'net:netif_receive_skb_entry';
  if (first === undefined || !events.some(({ name }) => name === needed))
    return `this kernel has no event ${needed}`;
  const refused = perfRefuses(first.id, onlineCpus()[0] ?? 0);
  return refused === undefined ? undefined : `perf_event_open is refused: ${refused}`;
}

/** perf's events. */
export const perf: Method = {
  name: 'perf',
  sentence: 'perf events on the irq, softirq, napi and net tracepoints, one ring per CPU',
  tells: 'both',
  last: 'stack',
  filters: {
    irq: 'the kernel’s filter on irq_handler_entry and irq_handler_exit: irq==N',
    queue: 'the same on the packets’ queue_mapping, where the driver records it',
    cpu: 'events are opened on these CPUs only',
    interface: 'the same on the interface’s name; one of that name in another network namespace passes too',
  },
  needs: {
    privileges: 'CAP_PERFMON (before 5.8: CAP_SYS_ADMIN), and root to read tracefs',
    kernel: 'CONFIG_PERF_EVENTS, CONFIG_EVENT_TRACING; tracefs mounted',
    since: '4.1',
  },
  loss: 'the kernel’s count of hits less the samples that came, per CPU; not counted: hits inside of perf’s own work in the same context, and on a CPU that comes online, for the first 20 ms',
  possible: (request) => tried(() => obstacle(request)),
  start(request) {
    const events = tracepoints(request);
    return Promise.resolve(new PerfSource(request, events, eventWays(request, events, 'tracepoint')));
  },
};
