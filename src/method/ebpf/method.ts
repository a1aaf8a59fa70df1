/** The eBPF method as one of many: fentry and BTF tracepoint programs, joined in the kernel. */
import { YES, type FeatureAnswer, no } from '../../feature/engine.js';
import { RxError } from '../../base/errors.js';
import type { Method, MethodRequest } from '../method.js';
import { EbpfSession, planFor } from './session.js';

/** The default, and the only one that stamps every stage. */
export const ebpf: Method = {
  name: 'ebpf',
  sentence: 'eBPF programs on function entries (fentry) and BTF tracepoints, joined in the kernel',
  tells: 'both',
  last: 'drop',
  filters: {
    irq: 'a table of wanted IRQs, looked up at the interrupt',
    queue: "the interrupt's queue, and the packet's",
    cpu: 'a switch per CPU',
    interface: 'ifindex and network namespace',
    expression: 'a pcap-filter expression as part of the program',
  },
  needs: {
    privileges: 'CAP_BPF and CAP_PERFMON',
    kernel: 'CONFIG_DEBUG_INFO_BTF; CONFIG_FUNCTION_TRACER for stages that are not tracepoints',
    since: '5.10',
  },
  loss: 'counted by cause and CPU: ring full, recursion, programs that the kernel skipped',
  possible(request: MethodRequest): FeatureAnswer {
    try {
      planFor(request);
      return YES;
    } catch (error) {
      if (error instanceof RxError) return no(error.message);
      throw error;
    }
  },
  start: (request) => Promise.resolve(EbpfSession.start(request)),
};
