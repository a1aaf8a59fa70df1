/**
 * The function tracer, limited to the handlers of the wanted interrupts: what perf-tools' `functrace igb_msix_ring` does, in
 * an instance of rxstamp's own. It knows that a function was called, when and on which CPU, and none of its arguments:
 * a driver has one handler for all its queues, so the line is only told where CPU and affinity leave one.
 */
import { type FeatureAnswer, no } from '../../feature/engine.js';
import { TraceInstance } from '../../sys/trace-instance.js';
import { Tracefs } from '../../sys/tracefs.js';
import type { Method, MethodRequest } from '../method.js';
import { tried } from '../possible.js';
import { newInstance, openTracefs } from '../tracefs/door.js';
import { handledLines } from './handlers.js';
import { FunctionSource, checkHandlers } from './source.js';

const SHARE = 8;
/** A function that every interrupt of a device calls: where it can be traced, handlers can. */
const SAMPLE = '__handle_irq_event_percpu';

function possible({ irqs, cpus }: MethodRequest): FeatureAnswer {
  if (irqs.length === 0) return no('there is no interrupt to listen to');
  let tracers: readonly string[] = [];
  const answer = tried(() => {
    const tracefs = Tracefs.open();
    tracers = tracefs.read('available_tracers').split(' ');
    const instance = TraceInstance.create(tracefs, { bytesPerCpu: 65_536, cpus });
    try {
      if (tracers.includes('function')) instance.replace('set_ftrace_filter', SAMPLE);
    } finally {
      instance.remove();
    }
  });
  if (tracers.length > 0 && !tracers.includes('function'))
    return no('this kernel has no function tracer (CONFIG_FUNCTION_TRACER)');
  return answer;
}

/** The function tracer on the driver's handler. */
export const functionTracer: Method = {
  name: 'function',
  sentence: 'the function tracer on the driver’s own interrupt handler, in a private tracefs instance',
  tells: 'interrupts',
  last: 'isr',
  filters: {
    cpu: 'the instance’s tracing_cpumask',
    interface: 'the driver’s handler; other interfaces of that driver have the same one',
  },
  needs: {
    privileges: 'root; CAP_BPF and CAP_PERFMON to find the handler',
    kernel: 'CONFIG_FUNCTION_TRACER, CONFIG_DYNAMIC_FTRACE; tracefs mounted; not locked down',
    since: '4.1',
  },
  loss: 'counted per CPU: calls overwritten (told where they are missing), dropped, and refused while nested too deep',
  possible,
  async start(request) {
    const { tracefs, notes } = openTracefs();
    const lines = await handledLines();
    checkHandlers(lines, request);
    const instance = newInstance(tracefs, request, SHARE);
    try {
      return new FunctionSource(instance, request, lines, notes);
    } catch (error) {
      instance.remove();
      throw error;
    }
  },
};
