/**
 * The eBPF method on BTF tracepoints alone: the same programs, session and records, with every hook on a function left
 * out. It is what {@link ebpf} falls back to where the kernel lets nothing hang on functions; chosen by name, it shows
 * what such a kernel would give.
 */
import { TRACEPOINTS } from '../ebpf/flavour.js';
import { EBPF_FILTERS } from '../ebpf/method.js';
import { EbpfSession, planFor } from '../ebpf/session.js';
import type { Method } from '../method.js';
import { tried } from '../possible.js';

/** Raw tracepoint programs. */
export const tracepoints: Method = {
  name: 'tracepoints',
  sentence: 'eBPF programs on BTF (raw) tracepoints alone, joined in the kernel',
  tells: 'both',
  last: 'drop',
  filters: { ...EBPF_FILTERS, irq: "a table of wanted IRQs, looked up at the handler's start" },
  needs: { privileges: 'CAP_BPF and CAP_PERFMON', kernel: 'CONFIG_DEBUG_INFO_BTF', since: '5.10' },
  loss: 'counted by cause and CPU: ring full, recursion, programs that the kernel skipped',
  possible: (request) => tried(() => void planFor(request, TRACEPOINTS)),
  start: (request) => Promise.resolve(EbpfSession.start(request, TRACEPOINTS)),
};
