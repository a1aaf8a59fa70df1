/**
 * The same interrupts with other tools: command lines as data, for one interface on one kernel. Pure. The lab runs every
 * one of them beside a trace and compares interrupt by interrupt (test/lab/methods/explain.test.ts).
 */

/** An interrupt as the command lines need it. */
export interface ExplainedIrq {
  readonly irq: number;
  /** Where its vector is at this moment; undefined where nobody tells. */
  readonly place: { readonly cpu: number; readonly vector: number } | undefined;
}

/** What the kernel has that the command lines depend on; each was tried. */
export interface ExplainFacts {
  readonly irqs: readonly ExplainedIrq[];
  /** Flow handlers of these interrupts: `handle_edge_irq`. */
  readonly flows: readonly string[];
  /** The driver's functions: `igb_msix_ring`. */
  readonly handlers: readonly string[];
  /** Functions of the above, or `__common_interrupt`, that take a kprobe. */
  readonly kprobes: ReadonlySet<string>;
  /** The same for fentry. */
  readonly fentries: ReadonlySet<string>;
  /** Bytes from an irq_desc to its interrupt's number; undefined without type information. */
  readonly irqOffset: number | undefined;
  /** The kernel lists its type information to programs, which bpftrace takes it from (Linux 5.11). */
  readonly listsTypes: boolean;
  /** Where tracefs is mounted; undefined: nowhere. */
  readonly tracefs: string | undefined;
  /** The clock of the shared trace buffer: `local`. */
  readonly traceClock: string;
  /** dynamic_events takes `f:` with arguments by name (CONFIG_FPROBE_EVENTS). */
  readonly fprobes: boolean;
  /** The function tracer is there, and knows the driver's functions. */
  readonly functionTracer: boolean;
}

/** The tools. */
export type Tool = 'bpftrace' | 'perf' | 'perf-tools' | 'trace-cmd' | 'tracefs';

/** Debian package of each; null: files of the kernel. */
export const TOOL_PACKAGES: Readonly<Record<Tool, string | null>> = {
  bpftrace: 'bpftrace',
  perf: 'linux-perf',
  'perf-tools': 'perf-tools-unstable',
  'trace-cmd': 'trace-cmd',
  tracefs: null,
};

/** One way to get the same interrupts, in times of CLOCK_MONOTONIC as rxstamp's. Lines of shell, to be run as root in this order. */
export interface Equivalent {
  /** Stable name. */
  readonly id: string;
  readonly tool: Tool;
  /** Where it stamps: `tracepoint irq:irq_handler_entry`. */
  readonly hook: string;
  readonly prepare: readonly string[];
  /** Runs until Ctrl-C. */
  readonly run: string;
  /** Prints what was recorded, where `run` does not print by itself. */
  readonly read: readonly string[];
  readonly undo: readonly string[];
  /** What it can filter before an event leaves the kernel. */
  readonly filters: string;
  /** False: it shows these interrupts, and others that it cannot leave out. */
  readonly exact: boolean;
  /** What must be known before it is believed, or run beside others. */
  readonly caveats: readonly string[];
}

const ENTRY = '__common_interrupt';
const HANDLER_ENTRY = 'irq:irq_handler_entry';

const SKIPPED = 'the kernel skips kprobes inside of other kprobes, and kprobe programs beside others';
const GLOBAL =
  'works in the shared trace buffer: empties it, sets its clock, turns its tracer off, and disturbs who else uses it';
const MOVES = 'a vector is one CPU’s and moves with the affinity: look again after a change';
const EVERY =
  'shows every interrupt that the function answers, other queues’ and other devices’ of the driver too';

const either = (terms: readonly string[]): string => terms.join(' || ');

function equivalent(
  parts: Pick<Equivalent, 'id' | 'tool' | 'hook' | 'run' | 'filters'> & Partial<Equivalent>,
): Equivalent {
  return { prepare: [], read: [], undo: [], exact: true, caveats: [], ...parts };
}

/** Lines that `rxstamp import` reads. */
const bpftrace = (probe: string, filter: string, irq: string): string =>
  `bpftrace -e '${probe} /${filter}/ { printf("irq %d vec 0 cpu %d time %llu\\n", ${irq}, cpu, nsecs); }'`;

function bpftraceLines(facts: ExplainFacts): Equivalent[] {
  const { irqs, flows, handlers, kprobes, fentries, listsTypes, irqOffset } = facts;
  const filters = 'any expression over the arguments, cpu, pid; a map look-up';
  const by = (value: string): string => either(irqs.map(({ irq }) => `${value} == ${irq}`));
  const lines = [
    equivalent({
      id: 'bpftrace-tracepoint',
      tool: 'bpftrace',
      hook: `tracepoint ${HANDLER_ENTRY}`,
      run: bpftrace(`tracepoint:${HANDLER_ENTRY}`, by('args->irq'), 'args->irq'),
      filters,
      caveats: ['perf-attached: skipped while another tool’s kprobe or tracepoint program runs on that CPU'],
    }),
  ];
  for (const flow of flows) {
    const irq = listsTypes ? '((struct irq_desc *)arg0)->irq_data.irq' : `(*(uint32*)(arg0+${irqOffset}))`;
    if (kprobes.has(flow) && (listsTypes || irqOffset !== undefined))
      lines.push(
        equivalent({
          id: `bpftrace-kprobe-${flow}`,
          tool: 'bpftrace',
          hook: `kprobe ${flow}`,
          run: bpftrace(`kprobe:${flow}`, by(irq), irq),
          filters,
          caveats: [SKIPPED],
        }),
      );
    if (fentries.has(flow) && listsTypes)
      lines.push(
        equivalent({
          id: `bpftrace-kfunc-${flow}`,
          tool: 'bpftrace',
          hook: `fentry ${flow}`,
          run: bpftrace(`kfunc:${flow}`, by('args->desc->irq_data.irq'), 'args->desc->irq_data.irq'),
          filters,
        }),
      );
  }
  for (const handler of handlers)
    if (kprobes.has(handler))
      lines.push(
        equivalent({
          id: `bpftrace-kprobe-${handler}`,
          tool: 'bpftrace',
          hook: `kprobe ${handler}`,
          run: bpftrace(`kprobe:${handler}`, by('(int32)arg0'), '(int32)arg0'),
          filters,
          caveats: [SKIPPED],
        }),
      );
  const places = irqs.flatMap(({ place }) => (place === undefined ? [] : [place]));
  if (kprobes.has(ENTRY) && places.length === irqs.length)
    lines.push(
      equivalent({
        id: `bpftrace-kprobe-${ENTRY}`,
        tool: 'bpftrace',
        hook: `kprobe ${ENTRY}`,
        run: `bpftrace -e 'kprobe:${ENTRY} /${either(
          places.map(({ cpu, vector }) => `(cpu == ${cpu} && arg1 == ${vector})`),
        )}/ { printf("irq -1 vec %d cpu %d time %llu\\n", arg1, cpu, nsecs); }'`,
        filters,
        caveats: [SKIPPED, MOVES],
      }),
    );
  return lines;
}

/** Filters of events: no spaces, so that they can be copied anywhere. */
const eventFilter = ({ irqs }: ExplainFacts): string => irqs.map(({ irq }) => `irq==${irq}`).join('||');
const FIELDS = 'any field of the event, CPU, process name';

function perfLines(facts: ExplainFacts): Equivalent[] {
  const { flows, kprobes, irqOffset } = facts;
  const record = (id: string, event: string): Pick<Equivalent, 'run' | 'read'> => ({
    run: `perf record -q -a -k mono -e ${event} --filter '${eventFilter(facts)}' -o /tmp/${id}.data`,
    read: [`perf script -i /tmp/${id}.data --ns -F comm,cpu,time,event,trace`],
  });
  const lines = [
    equivalent({
      id: 'perf-tracepoint',
      tool: 'perf',
      hook: `tracepoint ${HANDLER_ENTRY}`,
      ...record('perf-tracepoint', HANDLER_ENTRY),
      undo: ['rm /tmp/perf-tracepoint.data'],
      filters: FIELDS,
    }),
  ];
  for (const flow of flows) {
    if (!kprobes.has(flow) || irqOffset === undefined) continue;
    const id = `perf-probe-${flow}`;
    lines.push(
      equivalent({
        id,
        tool: 'perf',
        hook: `kprobe ${flow}`,
        prepare: [`perf probe -q -a 'rx_${flow}=${flow} irq=+${irqOffset}(%di):u32'`],
        ...record(id, `probe:rx_${flow}`),
        undo: [`perf probe -q -d 'probe:rx_${flow}'`, `rm /tmp/${id}.data`],
        filters: `${FIELDS}; the probe fetches irq itself`,
        caveats: [SKIPPED],
      }),
    );
  }
  return lines;
}

function perfToolsLines(facts: ExplainFacts): Equivalent[] {
  const { flows, handlers, kprobes, irqOffset, functionTracer, tracefs, traceClock } = facts;
  if (tracefs === undefined) return [];
  const clock = `${tracefs}/trace_clock`;
  const common = {
    tool: 'perf-tools',
    prepare: [`echo mono > ${clock}`],
    undo: [`echo ${traceClock} > ${clock}`],
  } as const;
  const lines = [
    equivalent({
      ...common,
      id: 'perf-tools-tpoint',
      hook: `tracepoint ${HANDLER_ENTRY}`,
      run: `tpoint-perf ${HANDLER_ENTRY} '${eventFilter(facts)}'`,
      filters: FIELDS,
      caveats: [GLOBAL],
    }),
  ];
  for (const flow of flows)
    if (kprobes.has(flow) && irqOffset !== undefined)
      lines.push(
        equivalent({
          ...common,
          id: `perf-tools-kprobe-${flow}`,
          hook: `kprobe ${flow}`,
          run: `kprobe-perf 'p:rx_${flow} ${flow} irq=+${irqOffset}(%di):u32' '${eventFilter(facts)}'`,
          filters: `${FIELDS}; the probe fetches irq itself`,
          caveats: [SKIPPED, GLOBAL],
        }),
      );
  if (functionTracer)
    for (const handler of handlers)
      lines.push(
        equivalent({
          ...common,
          id: `perf-tools-functrace-${handler}`,
          hook: `function tracer ${handler}`,
          run: `functrace-perf ${handler}`,
          filters: 'functions, threads',
          exact: false,
          caveats: [EVERY, GLOBAL],
        }),
      );
  return lines;
}

function traceCmdLines(facts: ExplainFacts): Equivalent[] {
  const { handlers, functionTracer } = facts;
  const record = (id: string, what: string): Pick<Equivalent, 'run' | 'read' | 'undo'> => ({
    // Else it leaves out what comes while its own threads have the CPU, interrupts too (trace-cmd-record(1)).
    run: `trace-cmd record --no-filter -q -B ${id} -C mono ${what} -o /tmp/${id}.dat`,
    read: [`trace-cmd report -t -i /tmp/${id}.dat`],
    undo: [`rm /tmp/${id}.dat`],
  });
  return [
    equivalent({
      id: 'trace-cmd-tracepoint',
      tool: 'trace-cmd',
      hook: `tracepoint ${HANDLER_ENTRY}`,
      ...record('trace-cmd-tracepoint', `-e ${HANDLER_ENTRY} -f '${eventFilter(facts)}'`),
      filters: FIELDS,
    }),
    ...(functionTracer ? handlers : []).map((handler) =>
      equivalent({
        id: `trace-cmd-function-${handler}`,
        tool: 'trace-cmd',
        hook: `function tracer ${handler}`,
        ...record(`trace-cmd-function-${handler}`, `-p function -l ${handler}`),
        filters: 'functions, CPUs',
        exact: false,
        caveats: [EVERY],
      }),
    ),
  ];
}

/** A probe of one's own in an instance of one's own. */
function probeLines(
  tracefs: string,
  id: string,
  { file, group, event, definition }: { file: string; group: string; event: string; definition: string },
  filter: string,
): Pick<Equivalent, 'prepare' | 'run' | 'undo'> {
  const folder = `${tracefs}/instances/${id}`;
  const at = `${folder}/events/${group}/${event}`;
  return {
    prepare: [
      `echo '${definition}' >> ${tracefs}/${file}`,
      `mkdir ${folder}`,
      `echo mono > ${folder}/trace_clock`,
      `echo '${filter}' > ${at}/filter`,
      `echo 1 > ${at}/enable`,
    ],
    run: `cat ${folder}/trace_pipe`,
    undo: [`echo 0 > ${at}/enable`, `rmdir ${folder}`, `echo '-:${group}/${event}' >> ${tracefs}/${file}`],
  };
}

function tracefsLines(facts: ExplainFacts): Equivalent[] {
  const { irqs, flows, handlers, kprobes, irqOffset, tracefs, fprobes } = facts;
  if (tracefs === undefined) return [];
  const filter = eventFilter(facts);
  const folder = `${tracefs}/instances/rx_events`;
  const at = `${folder}/events/irq/irq_handler_entry`;
  const lines = [
    equivalent({
      id: 'tracefs-tracepoint',
      tool: 'tracefs',
      hook: `tracepoint ${HANDLER_ENTRY}`,
      prepare: [
        `mkdir ${folder}`,
        `echo mono > ${folder}/trace_clock`,
        `echo '${filter}' > ${at}/filter`,
        `echo 1 > ${at}/enable`,
      ],
      run: `cat ${folder}/trace_pipe`,
      undo: [`echo 0 > ${at}/enable`, `rmdir ${folder}`],
      filters: FIELDS,
    }),
  ];
  const kprobe = (
    id: string,
    target: string,
    fetch: string,
    by: string,
    caveats: readonly string[],
  ): Equivalent =>
    equivalent({
      id,
      tool: 'tracefs',
      hook: `kprobe ${target}`,
      ...probeLines(
        tracefs,
        `rx_kprobe_${target}`,
        {
          file: 'kprobe_events',
          group: 'kprobes',
          event: `rx_k_${target}`,
          definition: `p:kprobes/rx_k_${target} ${target} ${fetch}`,
        },
        by,
      ),
      filters: `${FIELDS}, and whatever the probe fetches`,
      caveats: [SKIPPED, ...caveats],
    });
  for (const flow of flows)
    if (kprobes.has(flow) && irqOffset !== undefined)
      lines.push(kprobe(`kprobe_events-${flow}`, flow, `irq=+${irqOffset}($arg1):u32`, filter, []));
  for (const handler of handlers)
    if (kprobes.has(handler))
      lines.push(kprobe(`kprobe_events-${handler}`, handler, 'irq=$arg1:s32', filter, []));
  const places = irqs.flatMap(({ place }) => (place === undefined ? [] : [place]));
  if (kprobes.has(ENTRY) && places.length === irqs.length)
    lines.push(
      kprobe(
        `kprobe_events-${ENTRY}`,
        ENTRY,
        'vector=$arg2:u32',
        places.map(({ cpu, vector }) => `(CPU==${cpu}&&vector==${vector})`).join('||'),
        [MOVES],
      ),
    );
  if (fprobes)
    for (const flow of flows)
      lines.push(
        equivalent({
          id: `fprobe-${flow}`,
          tool: 'tracefs',
          hook: `fprobe ${flow}`,
          ...probeLines(
            tracefs,
            `rx_fprobe_${flow}`,
            {
              file: 'dynamic_events',
              group: 'fprobes',
              event: `rx_f_${flow}`,
              definition: `f:fprobes/rx_f_${flow} ${flow} irq=desc->irq_data.irq`,
            },
            filter,
          ),
          filters: `${FIELDS}; arguments by name and type, the heir of jprobe`,
        }),
      );
  return lines;
}

/** All command lines that give these interrupts on this kernel. */
export function equivalents(facts: ExplainFacts): readonly Equivalent[] {
  if (facts.irqs.length === 0) return [];
  return [
    ...bpftraceLines(facts),
    ...perfLines(facts),
    ...perfToolsLines(facts),
    ...traceCmdLines(facts),
    ...tracefsLines(facts),
  ];
}
