/**
 * Which hooks of the stage table this kernel allows, and why not. A function must be in the kernel's BTF and take a
 * trial program; a tracepoint must be there and take one. Programs are taken off at once and count nothing.
 */
import { type Hook, HOOKED_STAGES, type StageName, type Way } from '../stages.js';
import { type Capability, missingForTracing } from '../sys/caps.js';
import type { KernelConfig } from '../sys/kernel-config.js';
import { type FeatureAnswer, Features, YES, allOf, anyOf, couldNotTell, no } from './engine.js';

/** What hooks are asked through: the machine, or a fake of it in tests. */
export interface HookDoor {
  /** BTF type id of a kernel function, not positive when absent; undefined when the kernel has no BTF. */
  functionId(name: string): number | undefined;
  hasTracepoint(name: string): boolean | undefined;
  tryFentry(id: number): { readonly step: 'load' | 'attach'; readonly errno: number } | undefined;
  tryTracepoint(name: string): number | undefined;
  /** `EPERM` for 1. */
  errnoText(errno: number): string;
  readonly capabilities: ReadonlySet<Capability> | undefined;
  readonly config: KernelConfig | undefined;
}

/** Asks the kernel about one hook. */
export type HookProbe = (hook: Hook) => FeatureAnswer;

/** `probe`, where programs can read the kernel's preempt count, or cannot. */
export function withPreemptCount(probe: HookProbe, canRead: boolean): HookProbe {
  return (hook) => {
    const answer = probe(hook);
    // Who may not try a program could not try to read the count either.
    if (answer.possible !== 'yes' || canRead || hook.needsPreemptCount !== true) return answer;
    return no('programs cannot read the preempt count of this kernel');
  };
}

/** A hook with what the kernel answered. */
export interface HookAnswer {
  readonly hook: Hook;
  readonly answer: FeatureAnswer;
}

/** The hooks that close a way. What could not be told there anyway is none of its own beside one that is refused. */
export function obstacles(answers: readonly HookAnswer[]): readonly HookAnswer[] {
  const closed = answers.filter(({ answer }) => answer.possible === 'no');
  const plain = closed.filter(({ hook }) => hook.needsPreemptCount !== true);
  return plain.length > 0 ? plain : closed;
}

/** One way to a stage and whether it is open. */
export interface WayReport {
  readonly label: string;
  readonly answer: FeatureAnswer;
  readonly hooks: readonly {
    readonly kind: Hook['kind'];
    readonly target: string;
    readonly answer: FeatureAnswer;
  }[];
}

/** A stage with its ways, best first. */
export interface StageReport {
  readonly stage: StageName;
  readonly ways: readonly WayReport[];
  /** The first way that is open. */
  readonly best: WayReport | undefined;
}

const EPERM = 1;
const EBUSY = 16;
/** ENOTSUPP of include/linux/errno.h, which user space has no name for. */
const ENOTSUPP = 524;

/** Asks about hooks through `door`; sure answers are kept in `features`. */
export function hookProbe(door: HookDoor, features: Features = new Features()): HookProbe {
  const lacking = door.capabilities === undefined ? [] : missingForTracing(door.capabilities);
  return (hook) =>
    hook.kind === 'tp_btf'
      ? features.answer(`tp_btf/${hook.target}`, () => askTracepoint(hook.target, door, lacking))
      : // What takes one kind takes the other: both hang on the function's patchable entry.
        features.answer(`fentry/${hook.target}`, () => askFentry(hook.target, door, lacking));
}

const NO_BTF = 'the kernel has no type information (CONFIG_DEBUG_INFO_BTF)';

function needs(lacking: readonly Capability[]): FeatureAnswer {
  return couldNotTell(`needs ${lacking.join(' and ')} to try`);
}

function askTracepoint(name: string, door: HookDoor, lacking: readonly Capability[]): FeatureAnswer {
  const there = door.hasTracepoint(name);
  if (there === undefined) return no(NO_BTF);
  if (!there) return no('no such tracepoint in this kernel');
  if (lacking.length > 0) return needs(lacking);
  const errno = door.tryTracepoint(name);
  return errno === undefined ? YES : no(`${door.errnoText(errno)} when loading`);
}

function askFentry(name: string, door: HookDoor, lacking: readonly Capability[]): FeatureAnswer {
  const id = door.functionId(name);
  if (id === undefined) return no(NO_BTF);
  if (id <= 0) return no('not a function of this kernel (absent, inlined or renamed)');
  if (lacking.length > 0) return needs(lacking);
  const failure = door.tryFentry(id);
  if (failure === undefined) return YES;
  return no(`${door.errnoText(failure.errno)}: ${explain(failure, door.config)}`);
}

function explain(
  { step, errno }: { readonly step: 'load' | 'attach'; readonly errno: number },
  config: KernelConfig | undefined,
): string {
  const off = (option: string): boolean => config?.get(option) === 'n';
  if (step === 'load' && errno === EPERM) {
    return 'the kernel refuses programs on functions although the capabilities are there (a policy of this machine)';
  }
  if (off('CONFIG_FUNCTION_TRACER'))
    return 'functions have no patchable entry: CONFIG_FUNCTION_TRACER is not set';
  if (off('CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS'))
    return 'CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS is not set';
  if (step === 'attach' && errno === EBUSY) {
    return 'the function has no patchable entry (noinstr, or built without CONFIG_FUNCTION_TRACER)';
  }
  if (errno === ENOTSUPP) return 'this kernel has no BPF trampolines on functions';
  return step === 'load' ? 'the program was not accepted' : 'the program could not be attached';
}

/** The whole ladder of the kernel: every stage that it can stamp, every way, every hook. */
export function hookReport(probe: HookProbe): readonly StageReport[] {
  return HOOKED_STAGES.map(({ name, ways }) => {
    const reports = ways.map((way) => reportWay(way, probe));
    return { stage: name, ways: reports, best: reports.find((way) => way.answer.possible === 'yes') };
  });
}

function reportWay(way: Way, probe: HookProbe): WayReport {
  const asked = way.hooks.map((hook) => ({ hook, answer: probe(hook) }));
  const closedBy = obstacles(asked);
  const hooks = asked
    .filter((one) => one.answer.possible !== 'no' || closedBy.includes(one))
    .map(({ hook, answer }) => ({ kind: hook.kind, target: hook.target, answer }));
  const answers = hooks.map(({ answer }) => answer);
  return { label: way.label, answer: way.anyOf ? anyOf(answers) : allOf(answers), hooks };
}

/** Why a way is not open, with the hooks that stand in it; empty when it is open. Hooks with one reason share it. */
export function wayReason(way: WayReport): string {
  if (way.answer.possible === 'yes') return '';
  const byReason = new Map<string, string[]>();
  for (const { target, answer } of way.hooks) {
    if (answer.possible !== 'yes')
      byReason.set(answer.reason, [...(byReason.get(answer.reason) ?? []), target]);
  }
  return [...byReason].map(([reason, targets]) => `${targets.join(', ')}: ${reason}`).join('; ');
}
