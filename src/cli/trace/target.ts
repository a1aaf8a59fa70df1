/** What to listen to: the options resolved against the interfaces and interrupts of this machine. */
import { RxError } from '../../base/errors.js';
import { type EbpfOptions, type WantedIrq, canCompare } from '../../method/ebpf/session.js';
import type { Nic, NicIrq } from '../../nic/nic.js';
import { runInThreads } from '../../nic/irq-threads.js';
import { defaultRouteInterface, irqsOfQueue, nicOfIrq, resolveNic } from '../../nic/resolve.js';
import { possibleCpuCount } from '../../sys/cpus.js';
import { type StageName, stageIndex } from '../../stages.js';
import { kernelFilter } from './expression.js';
import type { TraceOptions } from './options.js';

/** The interfaces of a trace and what the method must know. */
export interface Target {
  readonly nics: readonly Nic[];
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
  if (nic.rxQueues <= 1) return true;
  const queues = receivingIrqs(nic).map(({ queue }) => queue);
  return (
    !queues.includes(undefined) && new Set(queues).size === queues.length && queues.length >= nic.rxQueues
  );
}

/** Resolves a trace's target and compiles its filter expression. Errors: those of both. */
export function resolveTarget(options: TraceOptions): Target {
  const target = resolveInterfaces(options);
  const { expression, guessed } = options;
  if (expression === undefined) return target;
  const filter = kernelFilter(
    expression,
    guessed,
    target.nics.map(({ name }) => name),
  );
  return { ...target, ebpf: { ...target.ebpf, filter } };
}

/** The interfaces and interrupts. Errors: RXS_NO_IFACE, RXS_NO_DEFAULT_ROUTE, RXS_NO_IRQ, RXS_IRQ_NOT_NIC, RXS_NO_QUEUE, RXS_NO_CPU. */
function resolveInterfaces(options: TraceOptions): Target {
  checkCpus(options.cpus);
  const common = {
    until: options.until,
    cpus: options.cpus,
    interrupts: options.interrupts,
    slower: inKernel(options.slower),
    ringBytes: ringSize(options.ringBytes, possibleCpuCount(), options.interrupts || isLater(options.until)),
  };
  if (options.irqs !== undefined && options.irqs.length > 0) {
    const owners = options.irqs.map((irq) => nicOfIrq(irq));
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
    return {
      nics,
      ebpf: {
        ...common,
        ifindex: nics.length === 1 ? only?.ifindex : undefined,
        irqs: owners.flatMap(({ nic, irq }) => wanted(nic, [irq])),
        irqOnly: true,
        oneQueue: nics.every(oneQueueEach),
        irqThreads: runInThreads(owners.map(({ irq }) => irq.irq)),
        queue: options.queue,
      },
    };
  }
  const nic = resolveNic(options.interface ?? defaultRouteInterface());
  if (options.interrupts && nic.irqs.length === 0) {
    throw new RxError('RXS_USAGE', {
      doing: 'showing interrupts of',
      subject: nic.name,
      why: nic.noIrqs ?? 'it has none',
      hint: 'leave --interrupts out to see its packets, or name an interface with interrupts (rxstamp irqs)',
    });
  }
  const all = receivingIrqs(nic);
  const ofQueue = options.queue === undefined ? [] : irqsOfQueue(nic, options.queue).filter(receives);
  return {
    nics: [nic],
    ebpf: {
      ...common,
      ifindex: nic.ifindex,
      irqs: wanted(nic, ofQueue.length > 0 ? ofQueue : all),
      irqOnly: ofQueue.length > 0,
      oneQueue: oneQueueEach(nic),
      irqThreads: runInThreads(all.map(({ irq }) => irq)),
      queue: options.queue,
    },
  };
}
