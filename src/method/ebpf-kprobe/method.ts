/**
 * The eBPF method with kprobes where it has fentry: interrupt entry, NAPI scheduling, the interrupt's thread. Small
 * wrappers (bpf/kprobe.bpf.h) take the arguments out of the registers and call the same code. The raw tracepoints stay,
 * and a poll's start is not hooked: see there why that is what makes skipped hits harmless. Because hits may be skipped,
 * no arrival is called certain on their ground.
 */
import { YES, type FeatureAnswer, no } from '../../feature/engine.js';
import { RxError } from '../../base/errors.js';
import { KPROBES, onKprobe } from '../ebpf/flavour.js';
import { EbpfSession, planFor } from '../ebpf/session.js';
import type { Method, MethodRequest } from '../method.js';

/** The programs of the interrupt on kprobes. */
export const ebpfKprobe: Method = {
  name: 'ebpf-kprobe',
  sentence: 'the same eBPF programs on kprobes instead of fentry, with raw tracepoints for the rest',
  tells: 'both',
  last: 'driver',
  filters: {
    irq: 'a table of wanted IRQs, looked up at the interrupt',
    queue: "the interrupt's queue, and the packet's",
    cpu: 'a switch per CPU',
    interface: 'ifindex and network namespace',
    expression: 'a pcap-filter expression as part of the program',
  },
  needs: {
    privileges: 'CAP_BPF and CAP_PERFMON',
    kernel: 'CONFIG_KPROBE_EVENTS, CONFIG_DEBUG_INFO_BTF for the tracepoints',
    since: '5.10',
  },
  loss:
    'hits that the kernel skips while another kprobe or tracepoint program runs on the CPU are counted where it counts ' +
    'them (bpf_link_info missed and recursion_misses, 6.7 and newer); before, they are silent, and a note says so',
  possible(request: MethodRequest): FeatureAnswer {
    const none = 'the interface has no interrupts, and nothing else is on kprobes';
    if (request.irqs.length === 0 && request.mayHaveIrqs !== true) return no(none);
    try {
      const chosen = planFor(request, KPROBES);
      if (chosen.programs.some(onKprobe)) return YES;
      const reasons = chosen.ways.flatMap((way) => way.reasons);
      return no(reasons[0] ?? none);
    } catch (error) {
      if (error instanceof RxError) return no(error.message);
      throw error;
    }
  },
  start: (request) => Promise.resolve(EbpfSession.start(request, KPROBES)),
};
