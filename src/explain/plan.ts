/** What a method would hang where, without hanging it. */
import { KPROBES, TRACEPOINTS } from '../method/ebpf/flavour.js';
import { type EbpfOptions, planFor } from '../method/ebpf/session.js';
import type { Method, MethodRequest } from '../method/method.js';
import type { MethodName } from '../method/names.js';
import type { StageWay } from '../record/source.js';

/** The plan of a trace. */
export interface Planned {
  readonly stages: readonly StageWay[];
  readonly programs: readonly string[];
  readonly notes: readonly string[];
}

const PLANS: Readonly<Partial<Record<MethodName, (options: EbpfOptions) => ReturnType<typeof planFor>>>> = {
  ebpf: (options) => planFor(options),
  tracepoints: (options) => planFor(options, TRACEPOINTS),
  'ebpf-kprobe': (options) => planFor(options, KPROBES),
};

/** Asks for it; of a method that plans nothing, whether it works. Errors: those of the method. */
export function planOf(method: Method, request: MethodRequest): Planned {
  const plan = PLANS[method.name];
  if (plan !== undefined) {
    const { ways, programs } = plan(request);
    return { stages: ways, programs, notes: [] };
  }
  const { possible, reason } = method.possible(request);
  return {
    stages: [],
    programs: [],
    notes: [possible === 'no' ? `it does not work here: ${reason}` : 'its hooks are chosen when it starts'],
  };
}
