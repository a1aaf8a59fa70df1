/**
 * ftrace as a method: the kernel's trace events in an instance of rxstamp's own (Linux 3.10), what `trace-cmd record -B`
 * does. Its buffer, filters and clock are nobody else's, and a trace-cmd that runs beside keeps its own.
 */
import { type FeatureAnswer, no } from '../../feature/engine.js';
import { interfaceFacts } from '../../sys/interfaces.js';
import { TraceInstance } from '../../sys/trace-instance.js';
import { Tracefs } from '../../sys/tracefs.js';
import { type WantedEvent, eventWays, wantedEvents } from '../events/wanted.js';
import type { Method, MethodRequest } from '../method.js';
import { tried } from '../possible.js';
import { newInstance, openTracefs } from '../tracefs/door.js';
import { FtraceSource } from './source.js';

/** The events that this kernel has, of those that are wanted. */
function eventsFor(tracefs: Tracefs, request: MethodRequest): readonly WantedEvent[] {
  const oneQueue = request.interfaces.every(({ name }) => (interfaceFacts(name)?.rxQueues ?? 1) <= 1);
  return wantedEvents(request, oneQueue).filter(({ name }) =>
    tracefs.has(`events/${name.replace(':', '/')}/format`),
  );
}

function possible(request: MethodRequest): FeatureAnswer {
  if (request.interrupts && request.irqs.length === 0) return no('there is no interrupt to listen to');
  const needed = request.interrupts ? 'irq:irq_handler_entry' : 'net:netif_receive_skb_entry';
  let missing = false;
  const answer = tried(() => {
    const tracefs = Tracefs.open();
    missing = !eventsFor(tracefs, request).some(({ name }) => name === needed);
    TraceInstance.create(tracefs, { bytesPerCpu: 65_536, cpus: request.cpus }).remove();
  });
  return missing ? no(`this kernel has no event ${needed}`) : answer;
}

/** Trace events in an instance. */
export const ftrace: Method = {
  name: 'ftrace',
  sentence:
    'trace events of irq, softirq, napi and net in a private tracefs instance, read from its raw buffers',
  tells: 'both',
  last: 'stack',
  filters: {
    irq: 'the kernel’s filter on irq_handler_entry and irq_handler_exit: irq==N',
    queue: 'the same on the packets’ queue_mapping, where the driver records it',
    cpu: 'the instance’s tracing_cpumask',
    interface: 'the same on the interface’s name; one of that name in another network namespace passes too',
  },
  needs: {
    privileges: 'root',
    kernel: 'CONFIG_EVENT_TRACING; tracefs mounted; not locked down',
    since: '4.1',
  },
  loss: 'counted per CPU: events overwritten (told where they are missing), dropped, and refused while nested too deep',
  possible,
  start(request) {
    const { tracefs, notes } = openTracefs();
    const events = eventsFor(tracefs, request);
    const instance = newInstance(tracefs, request);
    try {
      const ways = eventWays(request, events, 'ftrace event');
      return Promise.resolve(new FtraceSource(instance, request, events, ways, notes));
    } catch (error) {
      instance.remove();
      throw error;
    }
  },
};
