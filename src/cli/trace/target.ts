/** What to listen to: the options resolved against the interfaces and interrupts of this machine. */
import { RxError } from '../../base/errors.js';
import type { EbpfOptions, WantedIrq } from '../../method/ebpf/session.js';
import type { Nic, NicIrq } from '../../nic/nic.js';
import { defaultRouteInterface, irqsOfQueue, nicOfIrq, resolveNic } from '../../nic/resolve.js';
import { possibleCpuCount } from '../../sys/cpus.js';
import type { TraceOptions } from './options.js';

/** The interfaces of a trace and what the method must know. */
export interface Target {
  readonly nics: readonly Nic[];
  readonly ebpf: EbpfOptions;
}

const receives = (irq: NicIrq): boolean => irq.role === 'rx' || irq.role === 'rxtx';

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

/** Resolves a trace's target. Errors: RXS_NO_IFACE, RXS_NO_DEFAULT_ROUTE, RXS_NO_IRQ, RXS_IRQ_NOT_NIC, RXS_NO_QUEUE, RXS_NO_CPU. */
export function resolveTarget(options: TraceOptions): Target {
  checkCpus(options.cpus);
  const common = {
    until: options.until,
    cpus: options.cpus,
    interrupts: options.interrupts,
    ringBytes: options.ringBytes,
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
    const [only] = nics;
    if (options.queue !== undefined && only !== undefined) irqsOfQueue(only, options.queue);
    return {
      nics,
      ebpf: {
        ...common,
        ifindex: nics.length === 1 ? only?.ifindex : undefined,
        irqs: owners.flatMap(({ nic, irq }) => wanted(nic, [irq])),
        irqOnly: true,
        queue: options.queue,
      },
    };
  }
  const nic = resolveNic(options.interface ?? defaultRouteInterface());
  const all = receivingIrqs(nic);
  const ofQueue = options.queue === undefined ? [] : irqsOfQueue(nic, options.queue).filter(receives);
  return {
    nics: [nic],
    ebpf: {
      ...common,
      ifindex: nic.ifindex,
      irqs: wanted(nic, ofQueue.length > 0 ? ofQueue : all),
      irqOnly: ofQueue.length > 0,
      queue: options.queue,
    },
  };
}
