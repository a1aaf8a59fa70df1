/** What each method costs: stretches with it between stretches without it, in turn, under the same load. */
import { type Cost, type Pair, type Slice, costOf } from '../../compare/cost.js';
import type { BpfTime, Lost } from '../../compare/report.js';
import { enableBpfStats } from '../../sys/bpf-stats.js';
import type { Method, MethodRequest } from '../../method/method.js';
import { clockNow } from '../../sys/libc.js';
import { type IdleTime, idleTime } from '../../sys/idle-time.js';
import { readInterrupts } from '../../sys/interrupts.js';
import { Listener, drainUntil, endAll, monotonic, stopped } from './listen.js';

/** Time for what starting a method has set in motion to be over; an emulated CPU translates patched code anew. */
const SETTLE_NS = 300_000_000;

/** Interrupts of these lines so far, all CPUs. */
export function countInterrupts(irqs: readonly number[]): number {
  const { lines } = readInterrupts();
  return irqs.reduce((sum, irq) => sum + (lines.get(irq)?.counts.reduce((a, b) => a + b, 0) ?? 0), 0);
}

interface Reading extends IdleTime {
  readonly at: number;
  readonly interrupts: number;
}

function reading(irqs: readonly number[]): Reading {
  return { interrupts: countInterrupts(irqs), ...idleTime(), at: monotonic() };
}

/** One stretch: whatever listens is drained meanwhile, as a trace would. */
async function slice(irqs: readonly number[], ns: number, listeners: readonly Listener[]): Promise<Slice> {
  const before = reading(irqs);
  await drainUntil(listeners, before.at + ns, stopped);
  const after = reading(irqs);
  return {
    wallNs: after.at - before.at,
    idleNs: after.idleNs - before.idleNs,
    cpus: after.cpus,
    interrupts: after.interrupts - before.interrupts,
  };
}

/** What was measured of one method. */
export interface Measured {
  readonly cost: (Cost & { readonly lost: Lost }) | undefined;
  readonly bpf: BpfTime | undefined;
}

/** How to measure. */
export interface CostPlan {
  readonly rounds: number;
  readonly sliceNs: number;
  /** Lines whose interrupts are counted. */
  readonly irqs: readonly number[];
  /** Called before each stretch with a method. */
  readonly tell: (method: Method, round: number) => void;
}

async function traced(
  method: Method,
  request: MethodRequest,
  { irqs, sliceNs }: CostPlan,
  lost: Record<string, number>,
): Promise<Slice> {
  const listener = await Listener.start(method, request, clockNow('mono'));
  try {
    await drainUntil([listener], monotonic() + SETTLE_NS, stopped);
    const result = await slice(irqs, sliceNs, [listener]);
    endAll([listener]);
    for (const [cause, count] of Object.entries(listener.lost)) lost[cause] = (lost[cause] ?? 0) + count;
    return result;
  } finally {
    listener.source.close();
  }
}

/** Time inside of the method's own BPF programs, by the kernel's statistics: a stretch of its own, because they cost too. */
async function bpfTime(method: Method, request: MethodRequest, plan: CostPlan): Promise<BpfTime | undefined> {
  const statistics = enableBpfStats();
  if (statistics === undefined) return undefined;
  let listener: Listener | undefined;
  try {
    listener = await Listener.start(method, request, clockNow('mono'));
    const before = listener.source.bpfTime?.();
    if (before === undefined) return undefined;
    const { interrupts } = await slice(plan.irqs, plan.sliceNs, [listener]);
    const after = listener.source.bpfTime?.() ?? before;
    if (interrupts === 0) return undefined;
    return {
      perInterruptNs: (after.ns - before.ns) / interrupts,
      runsPerInterrupt: (after.runs - before.runs) / interrupts,
    };
  } finally {
    listener?.source.close();
    statistics.close();
  }
}

/** Measures all of them, in turn; a round is one stretch of each. */
export async function measureCosts(
  methods: readonly Method[],
  request: MethodRequest,
  plan: CostPlan,
): Promise<Map<Method, Measured>> {
  const pairs = new Map<Method, Pair[]>(methods.map((method) => [method, []]));
  const losses = new Map<Method, Record<string, number>>(methods.map((method) => [method, {}]));
  if (plan.rounds > 0) {
    let before = await slice(plan.irqs, plan.sliceNs, []);
    for (let round = 0; round < plan.rounds; round++) {
      for (const method of methods) {
        if (stopped()) break;
        plan.tell(method, round);
        const its = losses.get(method) as Record<string, number>;
        const middle = await traced(method, request, plan, its);
        await drainUntil([], monotonic() + SETTLE_NS, stopped);
        const after = await slice(plan.irqs, plan.sliceNs, []);
        pairs.get(method)?.push({ before, traced: middle, after });
        before = after;
      }
    }
  }
  const bpf = new Map<Method, BpfTime | undefined>();
  for (const method of plan.rounds > 0 && !stopped() ? methods : [])
    bpf.set(method, await bpfTime(method, request, plan));
  return new Map(
    methods.map((method) => {
      const cost = costOf(pairs.get(method) ?? []);
      const lost = losses.get(method) ?? {};
      return [method, { cost: cost === undefined ? undefined : { ...cost, lost }, bpf: bpf.get(method) }];
    }),
  );
}
