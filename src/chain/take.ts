/** Takes the chain of one interrupt: waits for it, names its frames, asks how each can be hooked, times those that can. */
import { RxError } from '../base/errors.js';
import { splitSymbol, type Handler } from '../method/driver/handlers.js';
import { findHandlers } from '../method/driver/source.js';
import type { IrqOwner } from '../nic/resolve.js';
import { HOST, type KernelFiles } from '../sys/files.js';
import { Inspector } from '../sys/inspect.js';
import { findSymbols } from '../sys/kallsyms.js';
import { kernelRelease } from '../sys/kernel-config.js';
import { moduleFile } from '../sys/probe-files.js';
import { symbolize } from '../sys/symbols.js';
import {
  AT_TRACEPOINT,
  AT_TWIN,
  type Hooking,
  MOST_HOOKS,
  type RawStack,
  StackTrap,
  Stopwatch,
  mostTimed,
} from './capture.js';
import { type ChainFunction, type StackDocument, afterOf } from './document.js';
import { type Frame, cutChain, missingFunctions, tracepointOf } from './frames.js';
import { type Hookable, askHookable } from './hookable.js';
import { type Offset, type Sample, earliestHook, median, offsets } from './times.js';

/** What is wanted. */
export interface ChainRequest {
  /** The interrupts to wait for, with their interfaces. */
  readonly owners: readonly IrqOwner[];
  /** How long to wait for the first one, and for the ones that are timed, ms. */
  readonly waitMs: number;
  /** Interrupts to time; 0: none. */
  readonly count: number;
}

const POLL_MS = 5;
/** How long the thread of an interrupt may take after it. */
const THREAD_MS = 500;
/** The earliest function that anything can hang on; it has returned when the handler runs. */
const BEFORE = ['irq_enter_rcu'];

const pause = (ms: number): Promise<void> => new Promise((resume) => setTimeout(resume, ms));

/** True once `ready` says so; false when the time is over. */
async function waitFor(ready: () => boolean, ms: number): Promise<boolean> {
  const until = performance.now() + ms;
  while (!ready()) {
    if (performance.now() >= until) return false;
    await pause(POLL_MS);
  }
  return true;
}

function oneHandler(owners: readonly IrqOwner[]): Handler {
  const irqs = owners.map(({ nic, irq }) => ({ irq: irq.irq, ifindex: nic.ifindex, queue: irq.queue }));
  const [handler, second] = findHandlers(irqs);
  if (handler !== undefined && second === undefined) return handler;
  throw new RxError('RXS_USAGE', {
    doing: 'taking the stack of interrupts',
    subject: irqs.map(({ irq }) => irq).join(', '),
    why: `different functions answer them (${handler?.name}, ${second?.name}, …)`,
    hint: 'choose one with --irq',
  });
}

/** How the handler is hooked: the kprobe's stack begins at the function, but a kprobe may be skipped. */
function hookingOf(name: string, { fentry, kprobe }: Hookable): Hooking | undefined {
  if (fentry.possible) return { name, kind: 'fentry' };
  return kprobe.possible ? { name, kind: 'kprobe' } : undefined;
}

function framesOf(
  stack: RawStack | undefined,
  from: ReturnType<typeof symbolize> & { known: true },
  at: number,
): Frame[] {
  return (stack?.addresses ?? []).map((address, i) => {
    const symbol = from.value[at + i];
    return { address, name: symbol?.name ?? '?', offset: symbol?.offset ?? 0, module: symbol?.module };
  });
}

/** Both stacks by name. @throws RxError RXS_NO_PRIVILEGE where the kernel hides its symbols */
function named(
  trap: ReturnType<StackTrap['take']>,
  files: KernelFiles,
): { handler: Frame[]; tracepoint: Frame[] } {
  const inner = trap.handler?.addresses ?? [];
  const symbols = symbolize([...inner, ...(trap.tracepoint?.addresses ?? [])], files);
  if (!symbols.known)
    throw new RxError('RXS_NO_PRIVILEGE', {
      doing: 'naming the functions of a stack',
      why: symbols.why,
      hint: 'run as root with kernel.kptr_restrict at 0 or 1',
    });
  return {
    handler: framesOf(trap.handler, symbols, 0),
    tracepoint: framesOf(trap.tracepoint, symbols, inner.length),
  };
}

/** Times the hookable functions. undefined: none is, or no further interrupt came. */
async function time(
  irqs: readonly number[],
  hooks: readonly Hooking[],
  { count, waitMs }: ChainRequest,
): Promise<readonly Sample[]> {
  if (count === 0 || hooks.length === 0) return [];
  const twin = hooks.find(({ kind }) => kind === 'fentry')?.name;
  const watch = Stopwatch.open(irqs, hooks, twin, count);
  try {
    await waitFor(() => watch.count() >= count, waitMs);
    return watch.read();
  } finally {
    watch.close();
  }
}

/** @throws RxError RXS_NO_INTERRUPT when none came, RXS_USAGE, RXS_NO_METHOD, RXS_SYS, RXS_NO_PRIVILEGE */
export async function takeChain(request: ChainRequest, files: KernelFiles = HOST): Promise<StackDocument> {
  const { owners, waitMs } = request;
  if (request.count > mostTimed())
    throw new RxError('RXS_USAGE', {
      doing: 'timing interrupts: --count',
      subject: String(request.count),
      why: `with the CPUs of this machine there is room for ${mostTimed()}`,
      hint: 'give a smaller number',
    });
  const handler = oneHandler(owners);
  const release = kernelRelease(files);
  const [asked] = askHookable([{ name: handler.name, address: undefined, module: handler.module }], files);
  const hooking = hookingOf(handler.name, asked as Hookable);
  const irqs = owners.map(({ irq }) => irq.irq);
  const trap = StackTrap.open(irqs, hooking);
  let taken: ReturnType<StackTrap['take']>;
  let stacks: ReturnType<typeof named>;
  try {
    const there = (): boolean => {
      taken = trap.take();
      return taken.tracepoint !== undefined;
    };
    if (!(await waitFor(there, waitMs))) throw noInterrupt(owners, waitMs);
    if (hooking !== undefined) await waitFor(() => there() && taken.handler !== undefined, THREAD_MS);
    taken = trap.take();
    // While the programs are there: they have symbols of their own.
    stacks = named(taken, files);
  } finally {
    trap.close();
  }
  const irq = (taken.tracepoint as RawStack).irq;
  const hard = cutChain(stacks.tracepoint, undefined);
  const direct = taken.handler === undefined ? undefined : cutChain(stacks.handler, handler.name);
  // Reached by a pointer from the tracepoint's function: known, though not on that stack.
  const unseen: Frame = { address: 0n, name: handler.name, offset: -1, module: handler.module };
  const chain = direct ?? { ...hard, frames: handler.thread ? hard.frames : [unseen, ...hard.frames] };
  const hardFrames = chain.entered ? [] : hard.frames;

  const places = [
    ...chain.frames,
    ...hardFrames,
    ...BEFORE.map((name) => ({ name, address: 0n, module: undefined })),
  ];
  const answers = askHookable(
    places.map(({ name, address, module }) => ({
      name,
      module,
      address: address === 0n ? undefined : address,
    })),
    files,
  );
  const way = chain.entered ? chain.frames : hardFrames;
  const hookings = new Map<string, Hooking>();
  for (const [index, { name }] of places.entries()) {
    if (!way.some((frame) => frame.name === name) && !BEFORE.includes(name)) continue;
    const one = hookingOf(name, answers[index] as Hookable);
    if (one !== undefined && hookings.size < MOST_HOOKS) hookings.set(name, one);
  }
  const hooks = [...hookings.values()];
  // Of all of them, which the same function answers: the first may have been the only one of its line.
  const samples = await time(irqs, hooks, request);
  const earliest = earliestHook(samples, hooks.length);
  const after = earliest === undefined ? [] : offsets(samples, AT_TWIN + 1, earliest);
  const entries = (frames: readonly Frame[], from: number): ChainFunction[] =>
    frames.map((frame, i) => {
      const index = hooks.findIndex(({ name }) => name === frame.name);
      return describe(
        frame,
        answers[from + i] as Hookable,
        index < 0 ? undefined : after[index],
        release,
        files,
      );
    });
  const owner = owners.find((one) => one.irq.irq === irq) as IrqOwner;
  const first = chain.frames.length + hardFrames.length;
  return {
    schema: 'rxstamp.stack/1',
    kernel: release,
    irq,
    actions: owner.irq.actions,
    interface: owner.nic.name,
    cpu: (taken.tracepoint as RawStack).cpu,
    vector: vectorOf(irq),
    handler,
    by: direct === undefined ? 'tracepoint irq_handler_entry' : `${hooking?.kind} ${handler.name}`,
    frames: entries(chain.frames, 0),
    entered: chain.entered,
    hardInterrupt: entries(hardFrames, chain.frames.length),
    before: entries(
      BEFORE.map((name) => ({ name, address: 0n, offset: -1, module: undefined })),
      first,
    ).filter((one) => one.fentry.possible || one.kprobe.possible),
    interrupted: chain.entered ? chain.interrupted : hard.interrupted,
    missing: missingFunctions(way, (name) =>
      (findSymbols([name], files) ?? []).some(({ type }) => /t/i.test(type)),
    ),
    measured:
      earliest === undefined
        ? null
        : {
            interrupts: samples.length,
            irqs,
            earliest: (hooks[earliest] as Hooking).name,
            tracepoint: afterOf(after[AT_TRACEPOINT]),
            hookNs: twinCost(samples, hooks),
          },
    notes: notesOf(direct !== undefined, handler, hooks, samples, request),
  };
}

/** Distance of the two programs on one function. */
function twinCost(samples: readonly Sample[], hooks: readonly Hooking[]): number | null {
  const at = hooks.findIndex(({ kind }) => kind === 'fentry');
  const apart = samples.flatMap((sample) => {
    const one = sample[at] ?? 0;
    const other = sample[AT_TWIN] ?? 0;
    return one === 0 || other === 0 ? [] : [Math.abs(other - one)];
  });
  return at < 0 ? null : (median(apart) ?? null);
}

function describe(
  { name, offset, module }: Frame,
  { fentry, kprobe }: Hookable,
  after: Offset | undefined,
  release: string,
  files: KernelFiles,
): ChainFunction {
  return {
    function: name,
    offset: offset < 0 ? null : offset,
    origin: module ?? 'vmlinux',
    file: module === undefined ? null : (moduleFile(module, release, files) ?? null),
    fentry,
    kprobe,
    tracepoint: tracepointOf(name) ?? null,
    after: afterOf(after),
  };
}

function vectorOf(irq: number): number | null {
  const inspector = Inspector.open();
  try {
    return inspector.irq(irq)?.vector ?? null;
  } finally {
    inspector.close();
  }
}

function noInterrupt(owners: readonly IrqOwner[], waitMs: number): RxError {
  return new RxError('RXS_NO_INTERRUPT', {
    doing: 'waiting for IRQ',
    subject: owners.map(({ irq }) => irq.irq).join(', '),
    why: `none came within ${waitMs / 1000} s`,
    hint: 'send something to the interface, or give a longer --wait',
  });
}

function notesOf(
  direct: boolean,
  handler: Handler,
  hooks: readonly Hooking[],
  samples: readonly Sample[],
  { count }: ChainRequest,
): string[] {
  const notes: string[] = [];
  if (!direct)
    notes.push(
      `nothing can hang on ${splitSymbol(handler.name).name} here: the stack is that of tracepoint irq_handler_entry, in front of it`,
    );
  if (handler.thread)
    notes.push(
      `${handler.name} runs in a thread: its stack begins there, and the hard interrupt that wakes it has its own`,
    );
  if (count > 0 && hooks.length === 0)
    notes.push('no time offsets: no function of the chain can be hooked here');
  else if (samples.length < count)
    notes.push(`times are of ${samples.length} interrupts instead of ${count}: more did not come in time`);
  return notes;
}
