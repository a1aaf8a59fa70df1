/** A call stack of an interrupt, from the driver's handler up to where the CPU entered the kernel. Pure. */

/** One frame: an address within a function. */
export interface Frame {
  readonly address: bigint;
  readonly name: string;
  readonly offset: number;
  readonly module: string | undefined;
}

/** The stack, cut where it leaves the interrupt. */
export interface Chain {
  /** Innermost first; the last one is where the CPU entered, when `entered`. */
  readonly frames: readonly Frame[];
  /** It reaches the CPU's entry; else the handler runs in a thread, or the stack was cut short. */
  readonly entered: boolean;
  /** What the interrupt came upon, innermost first. */
  readonly interrupted: readonly string[];
}

/**
 * Where the CPU enters for an interrupt: the stubs of the IDT (arch/x86/entry/entry_64.S: asm_common_interrupt,
 * asm_sysvec_*), those of FRED (asm_fred_entrypoint_*). asm_call_* are 5.10's steps onto the interrupt's stack.
 */
const ENTRY = /^asm_(?!call_)(common_interrupt|sysvec_|fred_entrypoint_|exc_)/;

/** Frames of the program that took the stack, and of what called it. */
const OWN = /^(bpf_|__bpf_|ftrace_trampoline|kprobe_|trace_call_bpf|perf_call_bpf|__traceiter_|trampoline_)/;
const isOwn = ({ name, module }: Frame): boolean => module === 'bpf' || OWN.test(name);

/** Cuts the stack: from `handler`, where it is among the frames, else behind the last frame of BPF, to the entry. */
export function cutChain(stack: readonly Frame[], handler: string | undefined): Chain {
  const entry = stack.findIndex(({ name }) => ENTRY.test(name));
  const inner = entry < 0 ? stack : stack.slice(0, entry + 1);
  const at = inner.findIndex(({ name }) => name === handler);
  return {
    frames: inner.slice(at >= 0 ? at : inner.findLastIndex(isOwn) + 1),
    entered: entry >= 0,
    interrupted: entry < 0 ? [] : stack.slice(entry + 1).map(({ name }) => name),
  };
}

/** Tracepoints that fire inside these functions, on the way of an interrupt. */
const TRACEPOINTS: Readonly<Record<string, string>> = {
  __handle_irq_event_percpu:
    'irq:irq_handler_entry right before it calls the handler, irq:irq_handler_exit behind',
  irq_thread: 'none for the start of a thread’s handler',
};

/** The tracepoint in or beside a function; undefined where there is none. */
export function tracepointOf(name: string): string | undefined {
  return TRACEPOINTS[name.replace(/\.(constprop|isra|part)\.\d+$/, '')];
}

/** Functions that people look for on this way, and what became of them: shown where they are not in the stack. */
const LOOKED_FOR: readonly { readonly name: string; readonly why: string }[] = [
  {
    name: 'do_IRQ',
    why: 'gone since 5.8: common_interrupt took its place',
  },
  { name: '__common_interrupt', why: '' },
  { name: 'handle_irq', why: '' },
  { name: 'call_irq_handler', why: '' },
];

/** A function that is not in the stack, and what can be said of it. */
export interface Missing {
  readonly name: string;
  readonly why: string;
}

/** What is looked for and not there. `exists` tells whether the kernel has a function of that name. */
export function missingFunctions(frames: readonly Frame[], exists: (name: string) => boolean): Missing[] {
  return LOOKED_FOR.filter(({ name }) => !frames.some((frame) => frame.name === name)).map(
    ({ name, why }) => ({
      name,
      why:
        why !== ''
          ? why
          : exists(name)
            ? 'in this kernel, but not on this way'
            : 'no such symbol in this kernel: inlined into its caller, or not of this version',
    }),
  );
}
