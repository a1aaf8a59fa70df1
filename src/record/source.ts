/** What every method of listening gives: records in lanes, and a ledger of what was lost. */
import type { StageName } from '../stages.js';
import type { Lane } from './lane.js';
import type { LaterRecord } from './later.js';
import type { Loss } from './loss.js';

/** How a stage is stamped in this session, or why not. */
export interface StageWay {
  readonly stage: StageName;
  /** The hook in words; undefined when the stage is not stamped. */
  readonly hook: string | undefined;
  /** Why it is not stamped, or why not in a better way; empty when it is the best way there is. */
  readonly reasons: readonly string[];
}

/** One interrupt, from entry to the end of its handler. Times as in {@link Lane}; NaN where the method does not stamp. */
export interface InterruptRecord {
  /** -1 where the method does not tell the line. */
  readonly irq: number;
  /** 0 where the method does not tell. */
  readonly vector: number;
  /** -1 where the method does not tell. */
  readonly cpu: number;
  readonly entry: number;
  readonly claim: number;
  readonly isr: number;
  readonly exit: number;
  /** NAPI instance it scheduled, 0: none. */
  readonly napiId: number;
}

/** When an interrupt began: its entry, or its handler's where the entry is out of reach. */
export function interruptStart(interrupt: InterruptRecord): number {
  return Number.isNaN(interrupt.entry) ? interrupt.isr : interrupt.entry;
}

/** The last time known of an interrupt: the end of its handler, or less where that was not asked for. */
export function interruptEnd({ entry, claim, isr, exit }: InterruptRecord): number {
  if (!Number.isNaN(exit)) return exit;
  if (!Number.isNaN(isr)) return isr;
  return Number.isNaN(claim) ? entry : claim;
}

/** A running session of a method. */
export interface RecordSource {
  /** CLOCK_MONOTONIC nanoseconds that all times are relative to. */
  readonly base: bigint;
  readonly lanes: readonly Lane[];
  readonly ways: readonly StageWay[];
  /** Called for each fact about a packet behind the driver stage, in the order of its ring. The record is used again. */
  onLater: (record: LaterRecord) => void;
  onInterrupt: (interrupt: InterruptRecord) => void;
  onLoss: (loss: Loss) => void;
  /**
   * Moves what the kernel has written into the lanes.
   * @returns records moved; every event stamped before {@link drainedTo} is in the lanes afterwards.
   */
  drain(): number;
  /** Time up to which the last drain is complete, relative to base. */
  readonly drainedTo: number;
  /** The kernel's name of a drop reason; undefined where it has none. */
  dropReasonName(reason: number): string | undefined;
  /** Takes the hooks off; what is in the rings can still be drained. Twice is once. */
  stop(): void;
  /** Frees everything, and takes away what the method has put into the system. Twice is once. */
  close(): void;
}

/** An interrupt to listen to. */
export interface WantedIrq {
  readonly irq: number;
  readonly ifindex: number;
  /** Receive queue that it serves; undefined where no name tells. */
  readonly queue: number | undefined;
}

/** What a source listens to, and may be told again while it runs. */
export interface Listened {
  /** Interface, or undefined: whatever interface the IRQs belong to. */
  readonly ifindex: number | undefined;
  /** Interrupts that may explain a packet. Empty: the interface has none. */
  readonly irqs: readonly WantedIrq[];
  /** True where no interrupt, and so no NAPI instance, serves more than one receive queue. */
  readonly oneQueue: boolean;
}

/** What a filter on the kernel side stopped, by why. */
export type FilterCounter = 'unmatched' | 'unreadable' | 'faster' | 'unstamped';

/** A source that a trace can run on. */
export interface TraceSource extends RecordSource {
  /** Now, relative to base. */
  now(): number;
  /** What is attached, by the method's own names. */
  readonly programs: readonly string[];
  /** What must be known about this method's records on this machine before they are believed; a sentence each. */
  readonly notes: readonly string[];
  /** Packets that a filter on the kernel side stopped so far; NaN: nothing counts them. */
  filtered(counter: FilterCounter): number;
  /** Listens to these interrupts from now on and to no others. @throws RxError RXS_NO_IRQ where the method cannot */
  follow(target: Listened): void;
  /** Called when the NIC's clock was set during the trace, with the nanoseconds. */
  onHardwareStep: (step: number) => void;
  /** What BPF statistics say of its programs, while they are on; not there where it has none. */
  bpfTime?(): BpfTime;
}

/** Time inside of BPF programs; what attaches them is not in it. */
export interface BpfTime {
  readonly ns: number;
  readonly runs: number;
}
