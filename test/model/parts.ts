/** What a modelled machine is made of, and what is remembered as the truth about its packets. */
import type { How } from '../../src/packet/arrival.js';
import type { CONTEXT } from '../../src/record/lane.js';
import type { Arrived, Vector } from './nic.js';

/** What was really so, by packet. */
export interface Truth {
  /** When its descriptor was written. */
  readonly arrival: number[];
  /** How it was found; -1: never handed over. */
  readonly how: (How | -1)[];
  /** The NAPI instance that handed it over. */
  readonly napi: number[];
}

/** Why a NAPI instance was scheduled. */
export type Reason =
  | { readonly kind: 'irq'; readonly entry: number }
  | { readonly kind: 'repoll' | 'missed' | 'timer' | 'kernel' | 'busy' };

/** Where a poll runs. */
export type Context = (typeof CONTEXT)[keyof typeof CONTEXT];

/** A poll that a CPU is to run. */
export interface Job {
  readonly napi: Napi;
  readonly context: Context;
  readonly reason: Reason;
  /** Busy polling goes on behind it: NAPI_STATE_IN_BUSY_POLL. */
  readonly keeps?: boolean;
}

/** A CPU. */
export class Cpu {
  readonly id: number;
  irqsOffUntil = 0;
  jobs: Job[] = [];
  running = false;
  waking = false;
  constructor(id: number) {
    this.id = id;
  }
}

/** A NAPI instance, and its vector. */
export class Napi {
  readonly id: number;
  readonly vector: Vector;
  readonly queueOfLine: number;
  /** CPU of its thread, where it has one. */
  readonly thread: number;
  scheduled = false;
  missed = false;
  deferred = 0;
  latched = false;
  constructor(id: number, vector: Vector, queueOfLine: number, thread: number) {
    this.id = id;
    this.vector = vector;
    this.queueOfLine = queueOfLine;
    this.thread = thread;
  }
}

/** One run of a driver's poll function. */
export interface Poll {
  readonly job: Job;
  readonly cpu: Cpu;
  readonly budget: number;
  ring: number;
  taken: number;
  /** `counted`: what was there when it began on this ring. */
  there: number;
  full: boolean;
  work: number;
  handed: number;
  readonly held: Arrived[];
  spurious: boolean;
}
