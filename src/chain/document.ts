/** The document of `rxstamp stack`. */
import type { Handler } from '../method/driver/handlers.js';
import type { Hookable } from './hookable.js';
import type { Missing } from './frames.js';
import type { Offset } from './times.js';

/** When a function is entered, after the earliest hook; of so many interrupts. */
export interface After {
  readonly medianNs: number;
  readonly leastNs: number;
  readonly mostNs: number;
  readonly interrupts: number;
}

/** A function of the way, and how to hang something on it. */
export interface ChainFunction extends Hookable {
  readonly function: string;
  /** Bytes into the function, of the address on the stack; null where the function is not on it. */
  readonly offset: number | null;
  /** `vmlinux`, or the module. */
  readonly origin: string;
  /** The module's file, where depmod's list has it. */
  readonly file: string | null;
  readonly tracepoint: string | null;
  /** Null: it was not timed. */
  readonly after: After | null;
}

/** The whole document. `schema` changes when a field changes its meaning or goes away. */
export interface StackDocument {
  readonly schema: 'rxstamp.stack/1';
  readonly kernel: string;
  readonly irq: number;
  readonly actions: readonly string[];
  readonly interface: string | null;
  readonly cpu: number;
  readonly vector: number | null;
  readonly handler: Handler;
  /** What took the stack: `fentry igb_msix_ring`. */
  readonly by: string;
  /** Innermost first. */
  readonly frames: readonly ChainFunction[];
  /** The frames reach the CPU's entry. */
  readonly entered: boolean;
  /** Where the handler runs in a thread: the hard interrupt that wakes it. */
  readonly hardInterrupt: readonly ChainFunction[];
  /** Called and returned before the handler, so on no stack: the earliest place there is. */
  readonly before: readonly ChainFunction[];
  readonly interrupted: readonly string[];
  readonly missing: readonly Missing[];
  readonly measured: {
    readonly interrupts: number;
    /** The lines whose interrupts were timed: all that were asked for. */
    readonly irqs: readonly number[];
    readonly earliest: string;
    /** The tracepoint irq_handler_entry. */
    readonly tracepoint: After | null;
    /** Distance of two programs on one function: what each hook adds at least to the times behind it. */
    readonly hookNs: number | null;
  } | null;
  readonly notes: readonly string[];
}

/** An offset as the document has it. */
export function afterOf(offset: Offset | undefined): After | null {
  if (offset?.median === undefined || offset.least === undefined || offset.most === undefined) return null;
  return {
    medianNs: offset.median,
    leastNs: offset.least,
    mostNs: offset.most,
    interrupts: offset.count,
  };
}
