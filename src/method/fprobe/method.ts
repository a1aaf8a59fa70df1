/**
 * fprobe events, the heir of jprobe: arguments of a function at its entry by their names and types
 * (`irq=desc->irq_data.irq`), which the kernel looks up in its own type information. jprobe was a C function with the
 * signature of the probed one; Linux 4.15 took its interface away, because ftrace and kprobes could do the same, and
 * 4.19 the code.
 */
import type { Method } from '../method.js';
import { probesPossible, startProbes } from '../tracefs/probe-method.js';
import { FPROBE_FETCHES } from '../tracefs/probe-setup.js';

const fetches = (): typeof FPROBE_FETCHES => FPROBE_FETCHES;

/** Probes of dynamic_events, kind `f`. */
export const fprobe: Method = {
  name: 'fprobe',
  sentence:
    'fprobe events on the interrupt’s entry and its flow handler, arguments by name and type: the heir of jprobe, which Linux 4.15 switched off and 4.19 removed',
  tells: 'interrupts',
  last: 'entry',
  filters: {
    irq: 'the kernel’s filter on what the probe fetched: irq==N of desc->irq_data.irq, vector and CPU at the entry',
    queue: 'the IRQs of the queue, as above',
    cpu: 'the instance’s tracing_cpumask',
    interface: 'the interface’s IRQs, as above',
  },
  needs: {
    privileges: 'root',
    kernel:
      'CONFIG_FPROBE_EVENTS, CONFIG_DEBUG_INFO_BTF, CONFIG_PROBE_EVENTS_BTF_ARGS; tracefs mounted; not locked down',
    since: '6.6',
  },
  loss: 'what the buffer overwrote is counted per CPU; hits that the kernel skipped are not: it has no count of them for fprobe events',
  possible: (request) => probesPossible('fprobe', fetches, request),
  start: (request) => startProbes('fprobe', fetches, request),
};
