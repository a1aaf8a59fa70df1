/** What to listen to: the options resolved against the interfaces and interrupts of this machine. */
import { RxError } from '../../base/errors.js';
import { type EbpfOptions, canCompare } from '../../method/ebpf/session.js';
import { driverHabits } from '../../nic/driver-habits.js';
import type { Nic, NicIrq } from '../../nic/nic.js';
import { below } from '../../nic/upper.js';
import { forcedThreads, runInThreads } from '../../nic/irq-threads.js';
import { defaultRouteInterface, irqsOfQueue, nicsOfIrq, resolveNic } from '../../nic/resolve.js';
import type { Listened, WantedIrq } from '../../record/source.js';
import { interfaceFacts } from '../../sys/interfaces.js';
import { possibleCpuCount } from '../../sys/cpus.js';
import { type StageName, stageIndex } from '../../stages.js';
import { kernelFilter, noInterface, shareOf } from './expression.js';
import type { TraceOptions } from './options.js';

/** The interfaces of a trace and what the method must know. */
export interface Target {
  readonly nics: readonly Nic[];
  /** Said before the first packet, where the interfaces are not the one that was asked for. */
  readonly on?: string;
  readonly ebpf: EbpfOptions;
}

const receives = (irq: NicIrq): boolean => irq.role === 'rx' || irq.role === 'rxtx';

const MIB = 1024 * 1024;
const DEFAULT_RING = 16 * MIB;
/** All rings together, unless asked for more: memory that the kernel sets aside for as long as the trace runs. */
const DEFAULT_TOTAL = 256 * MIB;
/** What the reader can map in one piece. */
const MOST_TOTAL = 2048 * MIB;

const isLater = (until: StageName): boolean => stageIndex(until) > stageIndex('driver');

/**
 * Ring size per CPU. Rings are there for all possible CPUs, `twice` with --interrupts and behind the driver stage.
 * @throws RxError RXS_USAGE when they would not fit
 */
export function ringSize(asked: number | undefined, cpus: number, twice: boolean): number {
  const rings = twice ? cpus * 2 : cpus;
  if (asked === undefined) {
    const share = 2 ** Math.floor(Math.log2(DEFAULT_TOTAL / rings));
    return Math.min(DEFAULT_RING, Math.max(65_536, share));
  }
  if (asked * rings <= MOST_TOTAL) return asked;
  throw new RxError('RXS_USAGE', {
    doing: 'reading --buffer',
    subject: `${asked / MIB} MiB`,
    why: `${rings} rings of it take more than ${MOST_TOTAL / MIB} MiB`,
    hint: `give at most ${2 ** Math.floor(Math.log2(MOST_TOTAL / rings)) / 1024}KiB`,
  });
}

/** The part of --slower-than that the kernel side can decide; the other pairs are looked at when a packet is whole. */
function inKernel(slower: TraceOptions['slower']): EbpfOptions['slower'] {
  const { from, to, ns } = slower ?? {};
  return from === undefined || to === undefined || ns === undefined || !canCompare(from, to)
    ? undefined
    : { from, to, ns };
}

/** Only a receive interrupt brings packets; where no name tells, all may. */
function checkReceives(owners: readonly { readonly nic: Nic; readonly irq: NicIrq }[]): void {
  const wrong = owners.find(({ nic, irq }) => !receives(irq) && nic.irqs.some(receives));
  if (wrong === undefined) return;
  const good = wrong.nic.irqs.filter(receives).map(({ irq }) => irq);
  throw new RxError('RXS_USAGE', {
    doing: 'choosing interrupts of',
    subject: wrong.nic.name,
    why: `IRQ ${wrong.irq.irq} (${wrong.irq.actions.join(', ')}) brings no packets`,
    hint: `its receive interrupts are ${good.join(', ')}; --interrupts shows any interrupt itself`,
  });
}

function checkCpus(cpus: readonly number[] | undefined): void {
  const count = possibleCpuCount();
  const wrong = cpus?.find((cpu) => cpu >= count);
  if (wrong === undefined) return;
  throw new RxError('RXS_NO_CPU', {
    doing: 'reading --cpu',
    subject: String(wrong),
    why: `this machine has CPUs 0 to ${count - 1}`,
    hint: `give numbers from 0 to ${count - 1}`,
  });
}

/** Interrupts that can bring packets of an interface. Where no name tells which receive, all of them may. */
function receivingIrqs(nic: Nic): readonly NicIrq[] {
  const certain = nic.irqs.filter(receives);
  return certain.length > 0 ? certain : nic.irqs;
}

function wanted(nic: Nic, irqs: readonly NicIrq[]): WantedIrq[] {
  return irqs.map(({ irq, queue }) => ({ irq, ifindex: nic.ifindex, queue }));
}

/**
 * True where each receive queue has an interrupt of its own, or there is one queue: then what a driver hands over from
 * one NAPI instance comes from one queue.
 */
export function oneQueueEach(nic: Nic): boolean {
  // Its last packet's stamp then says nothing about when the queue was empty.
  if (!driverHabits(nic.driver).looksAgain) return false;
  if (nic.rxQueues <= 1) return true;
  const queues = receivingIrqs(nic).map(({ queue }) => queue);
  return (
    !queues.includes(undefined) && new Set(queues).size === queues.length && queues.length >= nic.rxQueues
  );
}

/** The interrupt that is now what `old` was: by what it serves, where names tell; else by its number. */
function sameIrq(old: NicIrq, now: NicIrq): boolean {
  return old.role === now.role && old.queue === now.queue && (old.queue !== undefined || old.irq === now.irq);
}

/**
 * What to listen to after something has changed: the same interrupts of the interfaces as they are now. `nics` are the
 * ones that are there; without any, nothing is listened to.
 */
export function retarget({ nics: before, ebpf }: Target, nics: readonly Nic[]): Listened {
  const irqs = nics.flatMap((nic) => {
    const old = before.find((one) =>
      one.bus === undefined ? one.ifindex === nic.ifindex : one.bus === nic.bus,
    );
    if (!ebpf.irqOnly || old === undefined) return wanted(nic, receivingIrqs(nic));
    const asked = old.irqs.filter(({ irq }) => ebpf.irqs.some((one) => one.irq === irq));
    return wanted(
      nic,
      nic.irqs.filter((irq) => asked.some((one) => sameIrq(one, irq))),
    );
  });
  const ifindex = ebpf.ifindex === undefined ? undefined : (nics[0]?.ifindex ?? 0);
  return { ifindex, irqs, oneQueue: nics.every(oneQueueEach) };
}

/** Resolves a trace's target and compiles its filter expression. Errors: those of both. */
export function resolveTarget(options: TraceOptions): Target {
  const { target, share } = resolveInterfaces(options);
  const { expression, guessed } = options;
  const names = target.nics.map(({ name }) => name);
  const typed = expression === undefined ? undefined : kernelFilter(expression, guessed, names);
  if (share === undefined) return { ...target, ebpf: { ...target.ebpf, filter: typed } };
  // What was typed is in order: an error now is about the share, in words of its own.
  const wording = shareOf(share.of, names);
  const both = expression === undefined ? share.expression : `(${share.expression}) and (${expression})`;
  return { ...target, ebpf: { ...target.ebpf, filter: kernelFilter(both, false, names, wording) } };
}

/** @throws RxError RXS_NO_DEFAULT_ROUTE, or RXS_NO_IFACE where a word could have been meant as the interface */
function routeInterface({ expression, guessed }: TraceOptions): string {
  try {
    return defaultRouteInterface();
  } catch (error) {
    if (expression === undefined || !guessed) throw error;
    throw noInterface(
      expression,
      'a filter expression without an interface in front needs a default route, and there is none',
    );
  }
}

/** The interfaces and interrupts. Errors: RXS_NO_IFACE, RXS_NO_DEFAULT_ROUTE, RXS_NO_IRQ, RXS_IRQ_NOT_NIC, RXS_NO_QUEUE, RXS_NO_CPU. */
function resolveInterfaces(options: TraceOptions): {
  readonly target: Target;
  /** The interface that was asked for, and what of the packets is its. */
  readonly share?: { readonly of: string; readonly expression: string } | undefined;
} {
  checkCpus(options.cpus);
  const common = {
    until: options.until,
    cpus: options.cpus,
    interrupts: options.interrupts,
    slower: inKernel(options.slower),
    ringBytes: ringSize(options.ringBytes, possibleCpuCount(), options.interrupts || isLater(options.until)),
  };
  if (options.irqs !== undefined && options.irqs.length > 0) {
    const named = options.interface;
    const owners = options.irqs.flatMap((irq) => {
      const all = nicsOfIrq(irq);
      const own = all.filter(({ nic }) => nic.name === named);
      // A shared line brings packets of all its NICs, unless one is named.
      return own.length > 0 ? own : all;
    });
    const nics = [...new Map(owners.map(({ nic }) => [nic.ifindex, nic])).values()];
    const stranger =
      options.interface === undefined ? undefined : owners.find(({ nic }) => nic.name !== options.interface);
    if (stranger !== undefined) {
      // Also says when the interface does not exist.
      const nic = resolveNic(options.interface as string);
      throw new RxError('RXS_USAGE', {
        doing: 'choosing interrupts of',
        subject: nic.name,
        why: `IRQ ${stranger.irq.irq} belongs to ${stranger.nic.name}`,
        hint: `leave the interface out, or pick from: ${nic.irqs.map(({ irq }) => irq).join(', ') || 'none, it has no interrupts'}`,
      });
    }
    if (!options.interrupts) checkReceives(owners);
    const [only] = nics;
    if (options.queue !== undefined && only !== undefined) irqsOfQueue(only, options.queue);
    const ebpf = {
      ...common,
      ifindex: nics.length === 1 ? only?.ifindex : undefined,
      irqs: owners.flatMap(({ nic, irq }) => wanted(nic, [irq])),
      irqOnly: true,
      oneQueue: nics.every(oneQueueEach),
      irqThreads: runInThreads(owners.map(({ irq }) => irq.irq)),
      pages: !options.interrupts,
      queue: options.queue,
    };
    return { target: { nics, ebpf } };
  }
  const asked = resolveNic(options.interface ?? routeInterface(options));
  const lower = asked.irqs.length > 0 ? undefined : below(asked.name);
  const nics = lower?.nics ?? [asked];
  if (options.interrupts && lower === undefined && asked.irqs.length === 0) {
    throw new RxError('RXS_USAGE', {
      doing: 'showing interrupts of',
      subject: asked.name,
      why: asked.noIrqs ?? 'it has none',
      hint: 'leave --interrupts out to see its packets, or name an interface with interrupts (rxstamp irqs)',
    });
  }
  const { queue } = options;
  const served = nics.map((nic) => ({
    nic,
    all: receivingIrqs(nic),
    ofQueue: queue === undefined ? [] : irqsOfQueue(nic, queue).filter(receives),
  }));
  // A device that is down gets its interrupts when it comes up.
  const mayHaveIrqs = nics.some((nic) => nic.bus !== undefined && interfaceFacts(nic.name)?.up === false);
  const ebpf = {
    ...common,
    // Several: told by their interrupts.
    ifindex: nics.length === 1 ? nics[0]?.ifindex : undefined,
    irqs: served.flatMap(({ nic, all, ofQueue }) => wanted(nic, ofQueue.length > 0 ? ofQueue : all)),
    irqOnly: nics.length > 1 || served.some(({ ofQueue }) => ofQueue.length > 0),
    oneQueue: nics.every(oneQueueEach),
    irqThreads:
      runInThreads(served.flatMap(({ all }) => all.map(({ irq }) => irq))) ||
      (mayHaveIrqs && forcedThreads()),
    mayHaveIrqs,
    pages: !options.interrupts && (mayHaveIrqs || nics.some((nic) => nic.irqs.length > 0)),
    queue,
  };
  if (lower === undefined) return { target: { nics, ebpf } };
  const { expression, text } = lower;
  const share = options.interrupts || expression === undefined ? undefined : { of: asked.name, expression };
  return { target: { nics, ebpf, on: text }, share };
}
