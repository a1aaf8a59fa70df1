/** What an eBPF session is asked for. */
import type { WantedIrq } from '../../record/source.js';
import type { StageName } from '../../stages.js';
import type { KernelFilter } from './filter.js';
import type { HardwareOptions } from '../hardware.js';
import { STAMP } from './layout.gen.js';

/** What to listen to, and how. */
export interface EbpfOptions {
  readonly until: StageName;
  /** Interface, or undefined: whatever interface the IRQs belong to. */
  readonly ifindex: number | undefined;
  /** Interrupts that may explain a packet. Empty: the interface has none. */
  readonly irqs: readonly WantedIrq[];
  /** True: only packets that came by one of `irqs`. */
  readonly irqOnly: boolean;
  /** True where no interrupt, and so no NAPI instance, serves more than one receive queue. */
  readonly oneQueue: boolean;
  /** Some of `irqs` have a thread that runs their handler or its second half. */
  readonly irqThreads?: boolean;
  /** True: it has no interrupts now, but may get some while it is traced. */
  readonly mayHaveIrqs?: boolean;
  /**
   * Read headers that lie in page fragments too, as some NICs' drivers leave them; a stack without a NIC keeps them
   * together. Costs some 50 ms at the start. Filter expressions need it anyway.
   */
  readonly pages: boolean;
  readonly queue: number | undefined;
  readonly cpus: readonly number[] | undefined;
  /** Only packets that it lets through; undefined: all. */
  readonly filter?: KernelFilter | undefined;
  readonly interrupts: boolean;
  /** Only packets that took longer than this between two stamps that the driver stage knows; see {@link canCompare}. */
  readonly slower?: { readonly from: StageName; readonly to: StageName; readonly ns: number } | undefined;
  /** The NIC's own stamps; undefined: it has none. */
  readonly hardware?: HardwareOptions | undefined;
  /** Ring bytes per CPU, a power of two of at least 64 KiB. */
  readonly ringBytes: number;
}

/** The stamps that the kernel side can compare before it writes a packet. */
export const COMPARED: Readonly<Partial<Record<StageName, number>>> = {
  entry: STAMP.STAMP_ENTRY,
  isr: STAMP.STAMP_ISR,
  raise: STAMP.STAMP_RAISE,
  softirq: STAMP.STAMP_SOFTIRQ,
  poll: STAMP.STAMP_POLL,
  driver: STAMP.STAMP_DRIVER,
};

/** True where `slower` may name these stages. */
export function canCompare(from: StageName, to: StageName): boolean {
  return COMPARED[from] !== undefined && COMPARED[to] !== undefined;
}
