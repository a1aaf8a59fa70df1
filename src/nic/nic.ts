/** The shapes that say which interrupts, queues and CPUs an interface has. Pure types. */

/** What an interrupt line of a NIC serves. `rxtx` is one vector for both; `other` is link, mailbox, config. */
export type IrqRole = 'rx' | 'tx' | 'rxtx' | 'other';

/** One interrupt of an interface, as the kernel has it now. */
export interface NicIrq {
  readonly irq: number;
  /** Names of the handlers on this line, as in /proc/interrupts. More than one means a shared line. */
  readonly actions: readonly string[];
  readonly role: IrqRole;
  /** Receive queue it serves; undefined where neither name nor kernel tells. */
  readonly queue: number | undefined;
  /** CPUs it may go to, as the kernel prints the list: `0-1`. */
  readonly affinity: string;
  /** CPU that its vector is on now; on x86 MSI it follows `affinity` only at the next interrupt. */
  readonly effectiveCpu: number | undefined;
  /** NUMA node of the device; undefined where the kernel does not say. */
  readonly node: number | undefined;
  /** `PCI-MSIX-0000:00:03.0`. */
  readonly chip: string;
  /** `edge` or `level`, as /proc/interrupts says; undefined where it does not. */
  readonly trigger: string | undefined;
  /** Interrupts so far, all CPUs. */
  readonly count: number;
  /** Interrupts so far by CPU, CPUs with none left out. */
  readonly perCpu: readonly { readonly cpu: number; readonly count: number }[];
}

/** An interface with its interrupts. An interface without any (veth, loopback, bridge) has an empty list. */
export interface Nic {
  readonly name: string;
  readonly ifindex: number;
  /** `igb`, `virtio_net`; undefined for software interfaces. */
  readonly driver: string | undefined;
  /** `0000:00:03.0`; undefined for software interfaces. */
  readonly bus: string | undefined;
  /** Receive queues in sysfs. */
  readonly rxQueues: number;
  readonly irqs: readonly NicIrq[];
  /** Why `irqs` is empty, as a sentence; undefined when it is not. */
  readonly noIrqs: string | undefined;
  /** Interfaces below a stacked one (vlan, bond, bridge): where its interrupts come from. */
  readonly lower: readonly string[];
}
