/** What the script in the guest and the suite on the host tell each other, a JSON document per line. */
import type { MethodName } from '../../../../src/method/names.js';

/** Frames of one traffic: half of them to either queue, one after the other. */
export const FRAMES = 160;
/** Time between two of them. */
export const GAP_US = 2000;
/** Frames that are more than the smallest buffer of any method has room for, again half of them to either queue. */
export const FLOOD = 6400;
/** Flows that are tried, and how often each, to learn which queue it goes to. */
export const TRIED_FLOWS = 16;
export const TRIES = 4;

/** `flow`: one flow, for trying. `both`: {@link FRAMES}. `busy`: {@link FLOOD}, an interrupt each. `flood`: the same in bursts. */
export type Traffic = 'flow' | 'both' | 'busy' | 'flood';

/** What the script is started with. */
export interface Task {
  readonly iface: string;
  /** examples/printk-module, built for its kernel. */
  readonly module: string;
}

/** Numbers by IRQ; `-1` where a record does not tell it. */
export type ByIrq = Readonly<Record<string, number>>;

/** How an interrupt's count lies, by the kernel's own: what came while it was listened to for certain, and at most. */
export interface Bounds {
  readonly least: number;
  readonly most: number;
}

/** What every session tells. */
export interface Heard {
  /** Events read, as the method counts them, while bounds were taken. */
  readonly raw: number;
  /** By cause. */
  readonly lost: Readonly<Record<string, number>>;
  /** Records that lie outside of the times between start and stop. */
  readonly outside: number;
  /** Records that came in a wrong order, in words; at most a few. */
  readonly disorder: readonly string[];
  /** Number of its traffic, from 0. */
  readonly traffic: number;
  /** What is in the kernel, or held by the process, and was not before. */
  readonly left: readonly string[];
}

/** A session on interrupts. */
export interface InterruptsHeard extends Heard {
  readonly wanted: readonly number[];
  /** All records. */
  readonly seen: ByIrq;
  /** The ones of the time in which the kernel's counts were read. */
  readonly within: ByIrq;
  /** Of the wanted lines. */
  readonly counted: Readonly<Record<string, Bounds>>;
  /** Of all lines of the interface together. */
  readonly all: Bounds;
  /** From the first to the last of them, ns. */
  readonly span: ByIrq;
  /** Stamps that records have, in the order of the ladder. */
  readonly stamps: readonly string[];
  /** `IRQ/CPU`, and `IRQ/vector`, that were told. */
  readonly places: readonly string[];
}

/** A session on packets. */
export interface PacketsHeard extends Heard {
  /** By receive queue; `-1` where it is not told. */
  readonly seen: Readonly<Record<string, number>>;
  /** Median time from one packet to the next, ns, by queue as above. */
  readonly gap: Readonly<Record<string, number>>;
}

/** A session, or why there was none. */
export type Tried<Result> = Result | { readonly error: string };

/** What is known of a method at the end. */
export interface MethodResult {
  readonly method: MethodName;
  /** Undefined: it is possible. */
  readonly impossible: string | undefined;
  /** How long its sessions on interrupts took. */
  readonly seconds: number;
  /** Interrupts of both queues; of one queue, with the smallest buffer, while nobody reads it. */
  readonly both?: Tried<InterruptsHeard>;
  readonly one?: Tried<InterruptsHeard>;
  /** Packets of both queues; of one queue, where it can filter that, with the smallest buffer, while nobody reads it. */
  readonly packets?: Tried<PacketsHeard>;
  readonly flood?: Tried<PacketsHeard>;
}

/** What a killed run had left, and what of it was still there when every method had been started. */
export interface KilledResult {
  readonly methods: readonly string[];
  /** Of its own name, right after it was killed. */
  readonly left: readonly string[];
  /** The first method whose start took it away. */
  readonly cleaner: string | undefined;
  readonly after: readonly string[];
}

/** A line of the script. */
export type Line =
  | { readonly type: 'send'; readonly traffic: Traffic; readonly flow?: number }
  | {
      readonly type: 'queues';
      readonly irqs: readonly [number, number];
      readonly flows: readonly [readonly number[], readonly number[]];
    }
  | { readonly type: 'method'; readonly result: MethodResult }
  | { readonly type: 'killed'; readonly result: KilledResult };
