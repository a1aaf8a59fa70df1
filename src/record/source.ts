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

/** One interrupt, from entry to the end of its handler. Times as in {@link Lane}. */
export interface InterruptRecord {
  readonly irq: number;
  readonly vector: number;
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
  return [exit, isr, claim, entry].find((time) => !Number.isNaN(time)) ?? Number.NaN;
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
  /** Takes the hooks off; what is in the rings can still be drained. */
  stop(): void;
  /** Frees everything. */
  close(): void;
}
