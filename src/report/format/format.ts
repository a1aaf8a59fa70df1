/** What every output format of a trace implements. Formats turn packets into text and nothing else. */
import type { Timeline } from '../../base/time.js';
import type { PacketCursor } from '../../packet/arrival.js';
import type { Loss, LossLedger } from '../../record/loss.js';
import type { InterruptRecord, StageWay } from '../../record/source.js';
import type { StageName } from '../../stages.js';
import type { Lookups } from '../lookups.js';
import type { Summary } from '../summary.js';

/** A change of what is traced: what it is about, in words, and in data. */
export interface Change {
  readonly what: string;
  readonly text: string;
  readonly interface?: string;
  readonly irq?: number;
  readonly cpus?: readonly number[];
}

/** What is known before the first packet. */
export interface TraceMeta {
  readonly version: string;
  readonly kernel: string;
  readonly started: string;
  /**
   * Clock of the times; `local`: the kernel's local_clock, `unknown`: nobody tells. `offsetErrorNs`: how far its distance from
   * CLOCK_MONOTONIC may be off; null where that distance is not known.
   */
  readonly clock: { readonly name: string; readonly offsetErrorNs: number | null };
  readonly until: StageName;
  /** Way of listening. */
  readonly method: string;
  readonly ways: readonly StageWay[];
  readonly ringBytesPerCpu: number;
  readonly filter: Readonly<Record<string, unknown>>;
  /** Where the interfaces are not the one that was asked for: which are traced instead, and why. */
  readonly on?: string;
  readonly interfaces: readonly {
    readonly name: string;
    readonly ifindex: number;
    readonly driver: string | undefined;
    readonly irqs: readonly {
      readonly irq: number;
      readonly role: string;
      readonly queue: number | undefined;
      readonly cpu: number | undefined;
      readonly actions: readonly string[];
    }[];
  }[];
}

/** Renders a trace; every function returns the text to write, or '' for nothing. */
export interface Format {
  header(meta: TraceMeta): string;
  packet(cursor: PacketCursor, number: number): string;
  /** The same without a string in between, where a format is worth it. */
  readonly packetBytes?: {
    /** Most bytes that one packet takes. */
    readonly most: number;
    write(cursor: PacketCursor, bytes: Uint8Array, at: number): number;
  };
  interrupt(interrupt: InterruptRecord, number: number): string;
  loss(loss: Loss): string;
  /** Something about the interface has changed at a time; only where the format has a place for it. */
  note?(time: number, change: Change): string;
  summary(summary: Summary, ledger: LossLedger): string;
}

/** Makes a format for a time line, the stages to show, and what is known beside the packets. */
export type FormatMaker = (timeline: Timeline, stages: readonly StageName[], lookups?: Lookups) => Format;
