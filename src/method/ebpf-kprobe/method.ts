/**
 * The eBPF method with kprobes where it has fentry: interrupt entry, NAPI scheduling, the interrupt's thread. Small
 * wrappers (bpf/kprobe.bpf.h) take the arguments out of the registers and call the same code. The raw tracepoints stay,
 * and a poll's start is not hooked: see there why that is what makes skipped hits harmless. Because hits may be skipped,
 * no arrival is called certain on their ground.
 */
import { KPROBES, onKprobe } from '../ebpf/flavour.js';
import { EBPF_FILTERS } from '../ebpf/method.js';
import { EbpfSession, planFor } from '../ebpf/session.js';
import type { Method, MethodRequest } from '../method.js';
import { tried } from '../possible.js';

/** Why it does not work here; undefined: it does. */
function obstacle(request: MethodRequest): string | undefined {
  const none = 'the interface has no interrupts, and nothing else is on kprobes';
  if (request.irqs.length === 0 && request.mayHaveIrqs !== true) return none;
  const chosen = planFor(request, KPROBES);
  return chosen.programs.some(onKprobe)
    ? undefined
    : (chosen.ways.flatMap(({ reasons }) => reasons)[0] ?? none);
}

/** The programs of the interrupt on kprobes. */
export const ebpfKprobe: Method = {
  name: 'ebpf-kprobe',
  sentence: 'the same eBPF programs on kprobes instead of fentry, with raw tracepoints for the rest',
  tells: 'both',
  last: 'driver',
  filters: EBPF_FILTERS,
  needs: {
    privileges: 'CAP_BPF and CAP_PERFMON',
    kernel: 'CONFIG_KPROBE_EVENTS, CONFIG_DEBUG_INFO_BTF for the tracepoints',
    since: '5.10',
  },
  loss:
    'hits that the kernel skips while another kprobe or tracepoint program runs on the CPU are counted where it counts ' +
    'them (bpf_link_info missed and recursion_misses, 6.7 and newer); before, they are silent, and a note says so',
  possible: (request) => tried(() => obstacle(request)),
  start: (request) => Promise.resolve(EbpfSession.start(request, KPROBES)),
};
