/** What the script in the guest and the suite on the host tell each other, a JSON document per line. */
import type { MethodName } from '../../../../src/method/names.js';

/** Frames of one traffic: half of them to either queue, one after the other. */
export const FRAMES = 160;
/** Time between two of them. */
export const GAP_US = 2000;
/**
 * The same where the time between packets is judged by its median: half of them take longer than a vCPU is held back, which
 * then gets all that came meanwhile at once.
 */
export const SLOW_GAP_US = 40_000;
/** Frames that are more than the smallest buffer of any method has room for, again half of them to either queue. */
export const FLOOD = 6400;
/** Frames of a round of those that each make an interrupt, again half of them to either queue. */
export const BUSY_FRAMES = 1600;
/**
 * Interrupts of one line that are more than any smallest buffer has room for: tracefs makes 64 KiB 17 pages and the reader's
 * own, of 145 calls of a function; the kernel's log has 2048 of printk's lines.
 */
export const OVERFLOW = 2800;
/** Interrupts by which a line was busy. Nearly each frame makes one, unless a vCPU is held back. */
export const BUSY = FRAMES / 4;
/** Looks at the kernel's counts, traffic in between. */
export const LOOKS = 3;
/** Flows that are tried, and how often each, to learn which queue it goes to. */
export const TRIED_FLOWS = 16;
export const TRIES = 4;

/**
 * `flow`: one flow, for trying. `both`: {@link FRAMES}. `slow`: the same with longer gaps. `busy`: {@link BUSY_FRAMES}.
 * `flood`: {@link FLOOD}, in bursts.
 */
export type Traffic = 'flow' | 'both' | 'slow' | 'busy' | 'flood';

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

/** Between two looks at the kernel's counts, one behind the other. */
export interface Part {
  /** What the kernel counted. */
  readonly counted: ByIrq;
  /** Records of the time from the first look's begin to the second one's end. */
  readonly within: ByIrq;
  /** Records of the time in which the kernel's count cannot have missed them: from the first look's end to the second one's begin. */
  readonly inside: ByIrq;
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
  /** The same in parts of the time. */
  readonly parts: readonly Part[];
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
