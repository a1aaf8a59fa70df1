/**
 * kprobe_events, by hand what perf-tools' `kprobe` does: a breakpoint, or on a function's patchable entry a call, that
 * fetches arguments into an ftrace event. It can filter on the content of arguments, and of what they point to: here
 * `irq_desc.irq_data.irq`, by an offset from the kernel's type information.
 */
import type { Method } from '../method.js';
import { kprobeFetches } from '../tracefs/probe-setup.js';
import { probesPossible, startProbes } from '../tracefs/probe-method.js';

/** Probes of kprobe_events. */
export const kprobe: Method = {
  name: 'kprobe',
  sentence:
    'kprobe events on the interrupt’s entry and its flow handler, with arguments fetched and filtered on',
  tells: 'interrupts',
  last: 'entry',
  filters: {
    irq: 'the kernel’s filter on what the probe fetched: irq==N of the flow handler’s irq_desc, vector and CPU at the entry',
    queue: 'the IRQs of the queue, as above',
    cpu: 'the instance’s tracing_cpumask',
    interface: 'the interface’s IRQs, as above',
  },
  needs: {
    privileges: 'root',
    kernel: 'CONFIG_KPROBE_EVENTS, CONFIG_DEBUG_INFO_BTF; tracefs mounted; not locked down',
    since: '4.20',
  },
  loss: 'counted: what the buffer overwrote, per CPU, and nmissed of kprobe_profile (hits inside of another probe’s work on that CPU), which is of all interrupts there: the kernel skips them before the filter can tell whose they are',
  possible: (request) => probesPossible('kprobe', kprobeFetches, request),
  start: (request) => startProbes('kprobe', kprobeFetches, request),
};
