/**
 * The eBPF method with fewer or other kinds of hooks: what the plan may use, and by which programs. The plan itself, the
 * kernel side's logic and the session are the same for all.
 */
import { no, YES } from '../../feature/engine.js';
import type { BpfObject } from '../../sys/libbpf.js';
import { tryKprobe } from '../../sys/kprobe-trial.js';
import type { HookProbe } from '../../feature/hooks.js';
import type { Plan } from './plan.js';

/** One way of hanging the same programs on the kernel. */
export interface Flavour {
  /** What the plan is told about hooks. */
  probe(kernel: HookProbe): HookProbe;
  /** Whether the ends of interrupts and softirqs may be told by the preempt count; else both are hooked. */
  readonly trustsPreemptCount: boolean;
  /** The plan in this flavour's words and programs. */
  finish(plan: Plan): Plan;
  /** What must be known about its records on this kernel; the programs are attached. */
  notes(object: BpfObject, plan: Plan): readonly string[];
}

/** fentry, fexit and BTF tracepoints: every hook that never loses a hit to another tool. */
export const FULL: Flavour = {
  probe: (kernel) => kernel,
  trustsPreemptCount: true,
  finish: (plan) => plan,
  notes: () => [],
};

const NOT_HERE = no('not used by --method tracepoints');

/** Tracepoints alone: all that a kernel without a function tracer has. */
export const TRACEPOINTS: Flavour = {
  ...FULL,
  probe: (kernel) => (hook) => (hook.kind === 'tp_btf' ? kernel(hook) : NOT_HERE),
};

const SUFFIX = '_kprobe';

/** Programs of bpf/kprobe.bpf.h, without the suffix that they bear there. */
const ON_KPROBES: readonly string[] = [
  'irq_enter',
  'irq_vector',
  'irq_edge',
  'irq_fasteoi',
  'napi_prep',
  'irq_thread_forced',
  'irq_thread_own',
];

const WITHOUT: Readonly<Record<string, string>> = {
  napi_poll_start:
    'a skipped hit would give its interrupt to the next poll, so --method ebpf-kprobe does not use it',
};

const STALE = no('a skipped hit on the entry would leave it the stamp of another interrupt');

const inKprobeWords = (text: string): string => text.replaceAll(/\bfentry\b/g, 'kprobe');

/** True for the program of a kprobe. */
export const onKprobe = (program: string): boolean => program.endsWith(SUFFIX);

/**
 * kprobes where the others have fentry. The raw tracepoints stay: they end what a skipped hit leaves open.
 * @param refused why the kernel takes no kprobe on a function; undefined where it does
 */
export const onKprobes = (refused: (target: string) => string | undefined): Flavour => ({
  probe: (kernel) => (hook) => {
    if (hook.kind === 'tp_btf') return hook.program === 'isr_claim' ? STALE : kernel(hook);
    if (!ON_KPROBES.includes(hook.program))
      return no(WITHOUT[hook.program] ?? '--method ebpf-kprobe has no program for it');
    const why = refused(hook.target);
    return why === undefined ? YES : no(why);
  },
  trustsPreemptCount: false,
  finish: (plan) => ({
    ...plan,
    programs: plan.programs.map((name) => (ON_KPROBES.includes(name) ? `${name}${SUFFIX}` : name)),
    ways: plan.ways.map(({ stage, hook, reasons }) => ({
      stage,
      hook: hook === undefined ? undefined : inKprobeWords(hook),
      reasons: reasons.map(inKprobeWords),
    })),
  }),
  notes: (object, plan) => kprobeNotes(object, plan.programs.filter(onKprobe)),
});

/** The same on this machine. */
export const KPROBES: Flavour = onKprobes(tryKprobe);

/** What must be known about records of kprobe programs, which are attached. */
export function kprobeNotes(object: BpfObject, programs: readonly string[]): string[] {
  if (programs.length === 0) return [];
  const counted = programs.every((program) => object.linkMisses(program) !== undefined);
  const rest = counted
    ? 'it counts what it skips'
    : 'this one does not count what it skips: interrupts may be missing without a word';
  return [
    `the kernel skips kprobe programs while another kprobe or tracepoint program, of any tool, runs on that CPU; ${rest}`,
  ];
}
