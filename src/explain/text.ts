/** `rxstamp explain` as text. */
import type { StageWay } from '../record/source.js';
import { type Equivalent, TOOL_PACKAGES, type Tool } from './commands.js';

/** The document of `rxstamp explain --json`. `schema` changes when a field changes its meaning or goes away. */
export interface ExplainDocument {
  readonly schema: 'rxstamp.explain/1';
  readonly kernel: string;
  readonly method: string;
  /** What the method is. */
  readonly sentence: string;
  readonly interfaces: readonly {
    readonly name: string;
    readonly driver: string | null;
    readonly irqs: readonly { readonly irq: number; readonly actions: readonly string[] }[];
  }[];
  /** The hooks of a trace with these arguments, in path order; null: not stamped. */
  readonly stages: readonly {
    readonly stage: string;
    readonly hook: string | null;
    readonly reasons: readonly string[];
  }[];
  /** Names of the programs that would be attached, in that order; empty where the method has none. */
  readonly programs: readonly string[];
  readonly equivalents: readonly (Equivalent & {
    /** Debian package; null for files of the kernel. */
    readonly package: string | null;
    /** Whether its program is on this machine. */
    readonly installed: boolean;
  })[];
  readonly notes: readonly string[];
}

/** A stage as the document has it. */
export function stageOf({ stage, hook, reasons }: StageWay): ExplainDocument['stages'][number] {
  return { stage, hook: hook ?? null, reasons };
}

/** A command line as the document has it. */
export function offer(one: Equivalent, installed: boolean): ExplainDocument['equivalents'][number] {
  return { ...one, package: TOOL_PACKAGES[one.tool], installed };
}

const TITLES: Readonly<Record<Tool, string>> = {
  bpftrace: 'bpftrace',
  perf: 'perf',
  'perf-tools': 'perf-tools',
  'trace-cmd': 'trace-cmd',
  tracefs: 'the kernel’s own files',
};

function equivalentLines(one: ExplainDocument['equivalents'][number]): string[] {
  return [
    `  # ${one.hook}; filters in the kernel by: ${one.filters}`,
    ...one.caveats.map((caveat) => `  # mind: ${caveat}`),
    ...one.prepare.map((line) => `  ${line}`),
    `  ${one.run}      # until Ctrl-C`,
    ...one.read.map((line) => `  ${line}`),
    ...(one.undo.length === 0 ? [] : ['  # to take it away again:']),
    ...one.undo.map((line) => `  ${line}`),
  ];
}

/** Lines for stdout. */
export function explainText(document: ExplainDocument): string[] {
  const { interfaces, stages, equivalents } = document;
  const lines = interfaces.map(
    ({ name, driver, irqs }) =>
      `${[name, driver].filter((part) => part !== null).join(' ')}: ${irqs.length === 0 ? 'no interrupts' : irqs.map(({ irq, actions }) => `IRQ ${irq} (${actions.join(', ')})`).join(', ')}`,
  );
  lines.push(`Linux ${document.kernel}; --method ${document.method}: ${document.sentence}`, '');
  const width = Math.max(0, ...stages.map(({ stage }) => stage.length));
  for (const { stage, hook, reasons } of stages) {
    lines.push(`${stage.padEnd(width)}  ${hook ?? 'not stamped'}`);
    for (const reason of reasons)
      lines.push(`${' '.repeat(width)}    ${hook === null ? '' : 'not '}${reason}`);
  }
  if (equivalents.length > 0)
    lines.push('', 'the same interrupts with other tools, a line each, times on CLOCK_MONOTONIC; as root:');
  for (const tool of Object.keys(TITLES) as Tool[]) {
    const own = equivalents.filter((one) => one.tool === tool);
    if (own.length === 0) continue;
    const source = TOOL_PACKAGES[tool];
    const missing = own.some(({ installed }) => !installed) ? ', not installed here' : '';
    lines.push('', `${TITLES[tool]}${source === null ? '' : ` (apt-get install ${source}${missing})`}`);
    for (const one of own) lines.push(...equivalentLines(one));
  }
  return lines;
}
