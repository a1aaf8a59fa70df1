/**
 * Interface, queue and IRQ: which belongs to which, from sysfs and procfs only. Nothing here needs a privilege or
 * changes anything. Every function takes the kernel's files, so that saved files of another machine work as well.
 */
import { RxError } from '../base/errors.js';
import { nearestFirst } from '../base/nearest.js';
import { HOST, type KernelFiles } from '../sys/files.js';
import {
  type InterfaceFacts,
  deviceIrqs,
  interfaceFacts,
  interfaceNames,
  pciOwner,
} from '../sys/interfaces.js';
import {
  type InterruptLine,
  type Interrupts,
  parseCpuList,
  readInterrupts,
  readIrqPlace,
} from '../sys/interrupts.js';
import { defaultRoutes } from '../sys/routes.js';
import { nameMeaning } from './irq-names.js';
import type { Nic, NicIrq } from './nic.js';

/**
 * The interface `name` with its interrupts as they are now.
 * @throws RxError RXS_NO_IFACE when there is no such interface.
 */
export function resolveNic(name: string, files: KernelFiles = HOST): Nic {
  const facts = interfaceFacts(name, files);
  if (facts === undefined) {
    const names = nearestFirst(name, interfaceNames(files));
    throw new RxError('RXS_NO_IFACE', {
      doing: 'resolving the interface',
      subject: JSON.stringify(name),
      why: 'no such network interface in this network namespace',
      hint: names.length === 0 ? 'is /sys mounted?' : `pick one of: ${names.join(', ')}`,
    });
  }
  return buildNic(facts, readInterrupts(files), files);
}

/** All interfaces of this network namespace, those with interrupts first, then by name. */
export function listNics(files: KernelFiles = HOST): Nic[] {
  const interrupts = readInterrupts(files);
  return interfaceNames(files)
    .map((name) => interfaceFacts(name, files))
    .filter((facts) => facts !== undefined)
    .map((facts) => buildNic(facts, interrupts, files))
    .sort((a, b) => Number(b.irqs.length > 0) - Number(a.irqs.length > 0));
}

/** A NIC and one of its interrupts. */
export interface IrqOwner {
  readonly nic: Nic;
  readonly irq: NicIrq;
}

/**
 * The NICs that an interrupt belongs to: more than one where they share a line.
 * @throws RxError RXS_NO_IRQ when no such interrupt exists, RXS_IRQ_NOT_NIC when it is not a network interface's.
 */
export function nicsOfIrq(irq: number, files: KernelFiles = HOST): readonly [IrqOwner, ...IrqOwner[]] {
  const nics = listNics(files);
  const owners = nics.flatMap((nic) =>
    nic.irqs.filter((one) => one.irq === irq).map((one) => ({ nic, irq: one })),
  );
  // Two ports of one PCI function share its interrupts: prefer the ports whose name the handlers carry.
  const [first, ...others] = owners.filter((owner) =>
    owner.irq.actions.some((action) => action.includes(owner.nic.name)),
  );
  if (first !== undefined) return [first, ...others];
  const owner = owners[0];
  if (owner !== undefined) return [owner];
  throw notNic(irq, readInterrupts(files).lines.get(irq), nics, files);
}

/**
 * The NIC that an interrupt belongs to, the first of them where the line is shared.
 * @throws RxError as {@link nicsOfIrq}
 */
export function nicOfIrq(irq: number, files: KernelFiles = HOST): IrqOwner {
  return nicsOfIrq(irq, files)[0];
}

/**
 * The interface that the default route leaves by: IPv4 first, then IPv6, lowest metric.
 * @throws RxError RXS_NO_DEFAULT_ROUTE
 */
export function defaultRouteInterface(files: KernelFiles = HOST): string {
  const route = defaultRoutes(files)[0];
  if (route !== undefined) return route.iface;
  const nics = listNics(files).map((nic) => nic.name);
  throw new RxError('RXS_NO_DEFAULT_ROUTE', {
    doing: 'choosing an interface',
    why: 'no interface named, and there is no IPv4 or IPv6 default route to take one from',
    hint: `name one: ${nics.join(', ')}`,
  });
}

/**
 * The interrupts that serve receive queue `queue`.
 * @throws RxError RXS_NO_QUEUE when the interface has no such queue.
 */
export function irqsOfQueue(nic: Nic, queue: number): NicIrq[] {
  if (Number.isInteger(queue) && queue >= 0 && queue < nic.rxQueues) {
    return nic.irqs.filter((irq) => irq.queue === queue);
  }
  const last = nic.rxQueues - 1;
  throw new RxError('RXS_NO_QUEUE', {
    doing: 'choosing a receive queue of',
    subject: nic.name,
    why: `no receive queue ${queue}`,
    hint:
      last < 0
        ? `${nic.name} has no receive queues`
        : last === 0
          ? 'only queue 0 exists'
          : `queues are 0 to ${last}`,
  });
}

function buildNic(facts: InterfaceFacts, interrupts: Interrupts, files: KernelFiles): Nic {
  const { bus, irqs: numbers, msi } = deviceIrqs(facts, files);
  // A vector without a handler (interface down, spare) has no line, or a line without names.
  const lines = numbers
    .map((irq) => interrupts.lines.get(irq))
    .filter((line) => line !== undefined)
    .filter((line) => line.actions.length > 0)
    .map((line) => ({ line, own: ownActions(line, facts, msi) }))
    .filter(({ own }) => own.length > 0);
  const names = lines.flatMap(({ own }) => own);
  const irqs = lines.map(({ line, own }) => buildIrq(line, own, names, facts, interrupts, files));
  return {
    name: facts.name,
    ifindex: facts.ifindex,
    driver: facts.driver,
    bus,
    rxQueues: facts.rxQueues,
    irqs,
    noIrqs: irqs.length > 0 ? undefined : whyNone(facts),
    lower: facts.lower,
  };
}

/** Handler names of this device on a line. An MSI line has one owner; an INTx line is shared by strangers. */
function ownActions(line: InterruptLine, facts: InterfaceFacts, msi: boolean): readonly string[] {
  if (msi || line.actions.length === 1) return line.actions;
  const virtio = facts.device?.split('/').at(-1);
  return line.actions.filter((name) => name.startsWith(facts.name) || name === virtio);
}

function buildIrq(
  line: InterruptLine,
  own: readonly string[],
  names: readonly string[],
  facts: InterfaceFacts,
  interrupts: Interrupts,
  files: KernelFiles,
): NicIrq {
  const place = readIrqPlace(line.irq, files);
  const meaning = nameMeaning(own[0] ?? '', { driver: facts.driver, names, rxQueues: facts.rxQueues });
  return {
    irq: line.irq,
    actions: line.actions,
    ...meaning,
    affinity: place.affinity ?? '',
    effectiveCpu: place.effective === undefined ? undefined : parseCpuList(place.effective)[0],
    node: place.node,
    chip: line.chip,
    trigger: line.trigger,
    count: line.counts.reduce((sum, count) => sum + count, 0),
    perCpu: line.counts
      .map((count, column) => ({ cpu: interrupts.cpus[column] ?? column, count }))
      .filter(({ count }) => count > 0),
  };
}

function whyNone(facts: InterfaceFacts): string {
  const { name, lower } = facts;
  if (lower.length > 0) {
    return `${name} is a ${facts.kind ?? 'stacked interface'} and has no interrupts of its own: trace ${lower.join(' or ')}`;
  }
  if (facts.device === undefined) return `${name} is a software interface: no device, so no interrupts`;
  if (!facts.up) return `${name} is down: its driver has requested no interrupts`;
  if (facts.busType === 'vmbus') {
    return `${name} is on Hyper-V's vmbus: its interrupts share the hypervisor callback vector and have no IRQ number`;
  }
  if (facts.busType === 'usb')
    return `${name} is a USB device: its interrupts belong to the USB host controller`;
  return `the kernel lists no interrupt for ${name} (${facts.driver ?? 'no driver'} on ${facts.busType ?? 'an unknown bus'})`;
}

function notNic(
  irq: number,
  line: InterruptLine | undefined,
  nics: readonly Nic[],
  files: KernelFiles,
): RxError {
  const choices = nics.flatMap((nic) => nic.irqs.map((one) => `${one.irq} (${one.actions.join(', ')})`));
  const hint =
    choices.length === 0
      ? 'no interface here has interrupts'
      : `interrupts of interfaces: ${choices.join(', ')}`;
  const subject = String(irq);
  if (line === undefined) {
    return new RxError('RXS_NO_IRQ', {
      doing: 'resolving interrupt',
      subject,
      why: 'no such interrupt is in use',
      hint,
    });
  }
  const owner = pciOwner(irq, files);
  const whose = line.actions.length === 0 ? 'has no handler' : `it belongs to ${line.actions.join(', ')}`;
  const where =
    owner === undefined ? ` on ${line.chip}` : ` on ${owner.address} (${owner.driver ?? 'no driver'})`;
  const elsewhere = owner?.network ? ', whose interface is in another network namespace or not up' : '';
  return new RxError('RXS_IRQ_NOT_NIC', {
    doing: 'resolving interrupt',
    subject,
    why: `not a network interface's: ${whose}${where}${elsewhere}`,
    hint,
  });
}
