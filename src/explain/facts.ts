/** What the command lines depend on, asked of this machine. Probes are put on and taken off again. */
import { distinct, handlersOf } from '../method/driver/handlers.js';
import { traceableFunctions } from '../sys/probe-files.js';
import { tryFentryOn } from '../sys/fentry-trial.js';
import { HOST, type KernelFiles } from '../sys/files.js';
import { Inspector } from '../sys/inspect.js';
import { tryKprobe } from '../sys/kprobe-trial.js';
import { findTracefs } from '../sys/tracefs.js';
import { openKernelBtf } from '../sys/kernel-btf.js';
import type { ExplainFacts, ExplainedIrq } from './commands.js';

/*
 * bpftrace 0.17 asks for BTF by number. vmlinux's has had one since 5329722057d4 ("bpf: Assign ID to vmlinux BTF"), modules
 * have had files since 36e68442d1af ("bpf: Load and verify kernel module BTFs"), both Linux 5.11: the files can be seen.
 */

/** An interrupt and the names of the interface's actions on it. */
export interface AskedIrq {
  readonly irq: number;
  readonly actions: readonly string[];
}

const ENTRY = '__common_interrupt';

/** Bytes from an irq_desc to its number. */
function irqOffset(): number | undefined {
  const btf = openKernelBtf();
  try {
    const data = btf?.memberOffset('irq_desc', 'irq_data');
    const irq = btf?.memberOffset('irq_data', 'irq');
    return data === undefined || irq === undefined ? undefined : data + irq;
  } finally {
    btf?.close();
  }
}

/** Asks. @throws RxError RXS_BPF_LOAD where the kernel takes no BPF programs at all */
export function explainFacts(asked: readonly AskedIrq[], files: KernelFiles = HOST): ExplainFacts {
  const inspector = Inspector.open();
  const irqs: ExplainedIrq[] = [];
  const flows = new Set<string>();
  let handlers: string[] = [];
  try {
    const found = asked.flatMap(({ irq, actions }) => {
      const detail = inspector.irq(irq);
      const { cpu, vector } = detail ?? {};
      irqs.push({ irq, place: cpu === undefined || vector === undefined ? undefined : { cpu, vector } });
      if (detail !== undefined) flows.add(detail.flow);
      return detail === undefined ? [] : handlersOf(detail, actions);
    });
    handlers = distinct(found).map(({ name }) => name);
  } finally {
    inspector.close();
  }
  const functions = [...new Set([ENTRY, ...flows, ...handlers])];
  const tracefs = findTracefs(files);
  const readme = tracefs === undefined ? undefined : files.text(`${tracefs}/README`);
  const traceable = traceableFunctions(files);
  return {
    irqs,
    flows: [...flows],
    handlers,
    kprobes: new Set(functions.filter((name) => tryKprobe(name, files) === undefined)),
    fentries: new Set(functions.filter((name) => tryFentryOn(name) === undefined)),
    irqOffset: irqOffset(),
    listsTypes: files.list('/sys/kernel/btf').length > 1,
    tracefs,
    // trace_fprobe.c is the kernel's only source of this line of help (readme_msg in kernel/trace/trace.c).
    fprobes: readme !== undefined && /^\s*f\[/m.test(readme),
    traceClock: /\[(\w+)\]/.exec((tracefs && files.text(`${tracefs}/trace_clock`)) ?? '')?.[1] ?? 'local',
    functionTracer:
      handlers.every((name) => traceable?.has(name)) &&
      tracefs !== undefined &&
      (files.text(`${tracefs}/available_tracers`) ?? '').split(/\s+/).includes('function'),
  };
}
