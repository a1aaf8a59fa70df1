/**
 * The eBPF method on BTF tracepoints alone: the same programs, session and records, with every hook on a function left
 * out. It is what {@link ebpf} falls back to where the kernel lets nothing hang on functions; chosen by name, it shows
 * what such a kernel would give.
 */
import { YES, type FeatureAnswer, no } from '../../feature/engine.js';
import { RxError } from '../../base/errors.js';
import { TRACEPOINTS } from '../ebpf/flavour.js';
import { EbpfSession, planFor } from '../ebpf/session.js';
import type { Method, MethodRequest } from '../method.js';

/** Raw tracepoint programs. */
export const tracepoints: Method = {
  name: 'tracepoints',
  sentence: 'eBPF programs on BTF (raw) tracepoints alone, joined in the kernel',
  tells: 'both',
  last: 'drop',
  filters: {
    irq: "a table of wanted IRQs, looked up at the handler's start",
    queue: "the interrupt's queue, and the packet's",
    cpu: 'a switch per CPU',
    interface: 'ifindex and network namespace',
    expression: 'a pcap-filter expression as part of the program',
  },
  needs: { privileges: 'CAP_BPF and CAP_PERFMON', kernel: 'CONFIG_DEBUG_INFO_BTF', since: '5.10' },
  loss: 'counted by cause and CPU: ring full, recursion, programs that the kernel skipped',
  possible(request: MethodRequest): FeatureAnswer {
    try {
      planFor(request, TRACEPOINTS);
      return YES;
    } catch (error) {
      if (error instanceof RxError) return no(error.message);
      throw error;
    }
  },
  start: (request) => Promise.resolve(EbpfSession.start(request, TRACEPOINTS)),
};
