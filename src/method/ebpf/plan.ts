/**
 * Which programs to load: for each stage the best way whose hooks this kernel has, and why not a better one. Pure; the
 * kernel is asked through {@link HookProbe}. This is the one place where fallback is decided.
 */
import { type HookProbe, obstacles, withPreemptCount } from '../../feature/hooks.js';
import { type Hook, HOOKED_STAGES, type StageName, type Way, stageIndex } from '../../stages.js';
import type { StageWay } from '../../record/source.js';

/** What a trace wants. */
export interface PlanRequest {
  /** Latest stage to stamp. */
  readonly until: StageName;
  /** False for interfaces without interrupts: nothing below the driver stage is attached. */
  readonly hasIrqs: boolean;
  /** One record per interrupt. */
  readonly interrupts: boolean;
  /** Handlers run in threads (threadirqs, PREEMPT_RT), or one of the interrupts has a thread. */
  readonly irqThreads: boolean;
  /** How the NIC's own stamps are read, or why not; undefined: the NIC has none. */
  readonly hardware?: Omit<StageWay, 'stage'> | undefined;
}

/** What to load and attach, and what to say about it. */
export interface Plan {
  /** In the order to attach: what sees packets comes last, so that no packet is seen without its rungs. */
  readonly programs: readonly string[];
  readonly ways: readonly StageWay[];
  readonly entryHooked: boolean;
  readonly prepHooked: boolean;
  readonly exitHooked: boolean;
  readonly softirqExitHooked: boolean;
  /** Every poll's start is seen, but for busy polls. */
  readonly startHooked: boolean;
  /** The way from a hard interrupt through its thread to NAPI is followed. */
  readonly threadsHooked: boolean;
  /** Packets are followed beyond the driver stage. */
  readonly tracked: boolean;
}

const EXIT: Hook = { kind: 'tp_btf', target: 'irq_handler_exit', program: 'isr_exit' };
const SOFTIRQ_ENTRY: Hook = { kind: 'tp_btf', target: 'softirq_entry', program: 'softirq_entry' };
const SOFTIRQ_EXIT: Hook = { kind: 'tp_btf', target: 'softirq_exit', program: 'softirq_exit' };
const THREADS: readonly Hook[] = [
  { kind: 'tp_btf', target: 'irq_handler_exit', program: 'irq_wake_thread' },
  { kind: 'fentry', target: 'irq_forced_thread_fn', program: 'irq_thread_forced' },
  { kind: 'fentry', target: 'irq_thread_fn', program: 'irq_thread_own' },
];
const CLOSE: Hook = { kind: 'tp_btf', target: 'napi_poll', program: 'napi_poll_end' };

const NO_POLLS = { softirqExitHooked: false, startHooked: false, threadsHooked: false };

interface Chosen {
  readonly way: Way | undefined;
  readonly hooks: readonly Hook[];
  readonly reasons: readonly string[];
}

const kindText = (hook: Hook): string => (hook.kind === 'tp_btf' ? 'tracepoint' : hook.kind);

/** `fentry a, b: why; tracepoint c: why`: hooks that fail for the same reason share it. */
function reasonTexts(failed: ReadonlyMap<string, Set<string>>): string[] {
  return [...failed].map(([key, targets]) => {
    const [kind, reason] = key.split('\n');
    return `${kind} ${[...targets].join(', ')}: ${reason}`;
  });
}

/** The first way that works, and the reasons against the ones before it. */
function choose(ways: readonly Way[], probe: HookProbe): Chosen {
  const failed = new Map<string, Set<string>>();
  for (const way of ways) {
    const answers = way.hooks.map((hook) => ({ hook, answer: probe(hook) }));
    const usable = answers.filter(({ answer }) => answer.possible !== 'no');
    if (way.anyOf ? usable.length > 0 : usable.length === answers.length) {
      const hooks = usable.map(({ hook }) => hook);
      const reasons = reasonTexts(failed);
      for (const helper of way.helpers ?? []) {
        const answer = probe(helper);
        if (answer.possible !== 'no') hooks.push(helper);
        else reasons.push(`${kindText(helper)} ${helper.target}: ${answer.reason}: ${helper.without}`);
      }
      return { way, hooks, reasons };
    }
    for (const { hook, answer } of obstacles(answers)) {
      const key = `${kindText(hook)}\n${answer.reason}`;
      failed.set(key, (failed.get(key) ?? new Set()).add(hook.target));
    }
  }
  return { way: undefined, hooks: [], reasons: reasonTexts(failed) };
}

/** Stages whose hooks are attached although the stage comes after `until`, because the others need them. */
function needed(stage: StageName, request: PlanRequest): boolean {
  const index = stageIndex(stage);
  if (stage === 'driver') return true;
  // What is not read may have been dropped: without that nobody could tell, and every such packet were waited for.
  if (stage === 'drop' && request.until === 'read') return true;
  if (!request.hasIrqs) return index > stageIndex('driver') && index <= stageIndex(request.until);
  if (index <= stageIndex(request.until)) return true;
  // Whatever is shown: the first ties an interrupt to its NAPI instance, the second gives it to the poll that starts
  // then. Without the start, an interrupt that comes before the poll's first packet would be taken for its cause.
  return stage === 'raise' || stage === 'poll';
}

/**
 * Interrupts alone: what comes after the handler costs nothing. With `--until entry` a single record is written where the
 * interrupt gets its name, and the end of the handler is not hooked either.
 */
function planInterrupts(request: PlanRequest, ask: HookProbe): Plan {
  const asked = (name: StageName): boolean => stageIndex(name) <= stageIndex(request.until);
  const programs = new Set<string>();
  const ways: StageWay[] = [];
  for (const stage of HOOKED_STAGES.slice(0, HOOKED_STAGES.findIndex(({ name }) => name === 'raise') + 1)) {
    // Without a hook on the entry the handler is where an interrupt begins.
    const first = stage.name === 'isr' && !programs.has('irq_vector') && !programs.has('irq_edge');
    if (!asked(stage.name) && !first) continue;
    const open = stage.ways.filter(({ packetsOnly }) => packetsOnly !== true);
    const { way, hooks, reasons } = choose(open, ask);
    // The softirq raised in the handler names no NAPI instance: nothing of it is shown.
    if (stage.name !== 'raise' || way?.hooks[0]?.program === 'napi_prep') {
      for (const { program } of hooks) programs.add(program);
    }
    ways.push({ stage: stage.name, hook: way?.label, reasons });
  }
  const entryHooked = programs.has('irq_vector') || programs.has('irq_edge');
  const exitHooked = programs.has('isr_entry');
  if (exitHooked) programs.add(EXIT.program);
  const prepHooked = programs.has('napi_prep');
  return {
    programs: [...programs],
    ways,
    entryHooked,
    prepHooked,
    exitHooked,
    ...NO_POLLS,
    tracked: false,
  };
}

/** Decides what to load. */
export function plan(request: PlanRequest, probe: HookProbe, hasPreemptCount: boolean): Plan {
  const ask = withPreemptCount(probe, hasPreemptCount);
  if (request.interrupts && request.hasIrqs) return planInterrupts(request, ask);
  const rungs = new Set<string>();
  const perPacket: string[] = [];
  const ways: StageWay[] = [];
  let entryHooked = false;
  let prepHooked = false;
  let isrNeeded = false;
  if (request.hardware !== undefined) ways.push({ stage: 'hw', ...request.hardware });
  for (const stage of HOOKED_STAGES) {
    if (!needed(stage.name, request) && !(stage.name === 'isr' && isrNeeded)) continue;
    const chosen = choose(stage.ways, ask);
    const late = stageIndex(stage.name) >= stageIndex('driver');
    for (const { program } of chosen.hooks) {
      if (late) perPacket.push(program);
      // The same hook: what claims the entry there stamps the handler too.
      else if (program !== 'isr_entry' || !rungs.has('isr_claim')) rungs.add(program);
    }
    const shown = stageIndex(stage.name) <= Math.max(stageIndex(request.until), stageIndex('driver'));
    if (shown) ways.push({ stage: stage.name, hook: chosen.way?.label, reasons: chosen.reasons });
    if (stage.name === 'entry') {
      entryHooked = chosen.way !== undefined;
      isrNeeded = !entryHooked;
    }
    if (stage.name === 'raise') prepHooked = rungs.has('napi_prep');
  }
  const tracked = stageIndex(request.until) > stageIndex('driver');
  // The last stage first: a packet that is followed from its first stage on is followed to its end. What tells who freed
  // a packet tells that it was freed: only one of the two would find it.
  const released = perPacket.includes('released');
  const later = [...new Set(perPacket.reverse())].filter((name) => !(released && name === 'consumed'));
  if (!request.hasIrqs) {
    const none = { entryHooked: false, prepHooked: false, exitHooked: false };
    return { programs: later, ways, ...none, ...NO_POLLS, tracked };
  }
  // Without a hook on NAPI scheduling the handler's entry is what is remembered.
  if (!prepHooked || !entryHooked) rungs.add('isr_entry');
  const exitHooked = !entryHooked || !prepHooked || !hasPreemptCount;
  if (exitHooked) rungs.add(EXIT.program);
  const startHooked = rungs.has('napi_poll_start');
  // Whether a poll runs in a softirq or in a task that busy polls: told by the preempt count at its start, or by both
  // ends of the softirq.
  const softirqExitHooked = !(startHooked && hasPreemptCount) && probe(SOFTIRQ_ENTRY).possible !== 'no';
  if (softirqExitHooked) rungs.add(SOFTIRQ_ENTRY.program).add(SOFTIRQ_EXIT.program);
  const threadsHooked =
    request.irqThreads && prepHooked && entryHooked && THREADS.every((hook) => probe(hook).possible !== 'no');
  if (threadsHooked) for (const { program } of THREADS) rungs.add(program);
  // After the rungs: the first poll whose end is seen is the last one whose interrupt may have been missed.
  rungs.add(CLOSE.program);
  const programs = [...rungs, ...later];
  return {
    programs,
    ways,
    entryHooked,
    prepHooked,
    exitHooked,
    softirqExitHooked,
    startHooked,
    threadsHooked,
    tracked,
  };
}
