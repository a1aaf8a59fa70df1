/** The eBPF method as one of many: fentry and BTF tracepoint programs, joined in the kernel. */
import type { Method, MethodFilters } from '../method.js';
import { tried } from '../possible.js';
import { EbpfSession, planFor } from './session.js';

/** What the session's programs filter by, on whatever they hang. */
export const EBPF_FILTERS: MethodFilters = {
  irq: 'a table of wanted IRQs, looked up at the interrupt',
  queue: "the interrupt's queue, and the packet's",
  cpu: 'a switch per CPU',
  interface: 'ifindex and network namespace',
  expression: 'a pcap-filter expression as part of the program',
};

/** The default, and the only one that stamps every stage. */
export const ebpf: Method = {
  name: 'ebpf',
  sentence: 'eBPF programs on function entries (fentry) and BTF tracepoints, joined in the kernel',
  tells: 'both',
  last: 'drop',
  filters: EBPF_FILTERS,
  needs: {
    privileges: 'CAP_BPF and CAP_PERFMON',
    kernel: 'CONFIG_DEBUG_INFO_BTF; CONFIG_FUNCTION_TRACER for stages that are not tracepoints',
    since: '5.10',
  },
  loss: 'counted by cause and CPU: ring full, recursion, programs that the kernel skipped',
  possible: (request) => tried(() => void planFor(request)),
  start: (request) => Promise.resolve(EbpfSession.start(request)),
};
