/** Methods at work: several sources in one process, drained in turn, with what they saw of interrupts. */
import { RxError } from '../../base/errors.js';
import type { Lost } from '../../compare/report.js';
import type { Sighting } from '../../compare/match.js';
import type { Method, MethodRequest } from '../../method/method.js';
import { type TraceSource, interruptStart } from '../../record/source.js';
import { clockNow } from '../../sys/libc.js';

const DRAIN_MS = 4;

/** Now, CLOCK_MONOTONIC ns. */
export const monotonic = (): number => Number(clockNow('mono'));

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** One method that listens. */
export class Listener {
  readonly method: Method;
  readonly source: TraceSource;
  /** Times are CLOCK_MONOTONIC nanoseconds relative to `zero`. */
  readonly sightings: Sighting[] = [];
  readonly lost: Record<string, number> = {};
  /** What came before is left out. */
  from = 0;

  private constructor(method: Method, source: TraceSource, zero: bigint) {
    this.method = method;
    this.source = source;
    const shift = Number(source.base - zero);
    source.onInterrupt = (interrupt) => {
      const { cpu, irq, exit } = interrupt;
      const time = interruptStart(interrupt) + shift;
      if (time >= this.from) this.sightings.push({ cpu, irq, time, end: exit + shift });
    };
    source.onLoss = ({ cause, count }) => (this.lost[cause] = (this.lost[cause] ?? 0) + count);
  }

  /** Starts a method. Errors: its own. */
  static async start(method: Method, request: MethodRequest, zero: bigint): Promise<Listener> {
    return new Listener(method, await method.start(request), zero);
  }
}

/** What several methods saw of the same time. */
export interface Heard {
  readonly listeners: readonly Listener[];
  /** Methods that did not start, with the reason. */
  readonly failed: ReadonlyMap<Method, string>;
  /** Stretch in which all of them listened, relative to zero. */
  readonly from: number;
  readonly to: number;
}

/** Drains every source until `done` or until the time is over; both ends are looked at every few milliseconds. */
export async function drainUntil(
  listeners: readonly Listener[],
  untilNs: number,
  done: () => boolean,
): Promise<void> {
  while (monotonic() < untilNs && !done()) {
    for (const { source } of listeners) source.drain();
    await sleep(DRAIN_MS);
  }
}

/** Starts what can be started. */
export async function startAll(
  methods: readonly Method[],
  request: MethodRequest,
  zero: bigint,
): Promise<{ listeners: Listener[]; failed: Map<Method, string> }> {
  const listeners: Listener[] = [];
  const failed = new Map<Method, string>();
  for (const method of methods) {
    try {
      listeners.push(await Listener.start(method, request, zero));
    } catch (error) {
      if (!(error instanceof RxError)) {
        for (const { source } of listeners) source.close();
        throw error;
      }
      failed.set(method, error.message);
    }
  }
  return { listeners, failed };
}

/** Ends the listening and reads what is left. */
export function endAll(listeners: readonly Listener[]): void {
  for (const { source } of listeners) source.stop();
  for (const { source } of listeners) source.drain();
  for (const { source } of listeners) source.close();
}

/**
 * From now on all of them listen; what was gathered while they were started, one after the other, is read and left out.
 * @returns now, relative to zero
 */
export function listenFromNow(listeners: readonly Listener[], zero: bigint): number {
  // Twice: the first time there may be much, and what comes meanwhile is much too.
  for (const { source } of [...listeners, ...listeners]) source.drain();
  const from = monotonic() - Number(zero);
  for (const listener of listeners) {
    listener.from = from;
    listener.sightings.splice(0);
  }
  return from;
}

/** All of them at once, until one of them has seen `count` interrupts and for no longer than `limitNs`. */
export async function hearTogether(
  methods: readonly Method[],
  request: MethodRequest,
  count: number,
  limitNs: number,
): Promise<Heard> {
  const zero = clockNow('mono');
  const { listeners, failed } = await startAll(methods, request, zero);
  try {
    const from = listenFromNow(listeners, zero);
    const most = (): number => Math.max(0, ...listeners.map(({ sightings }) => sightings.length));
    await drainUntil(listeners, monotonic() + limitNs, () => most() >= count || stopped());
    const to = monotonic() - Number(zero);
    endAll(listeners);
    return { listeners, failed, from, to };
  } finally {
    for (const { source } of listeners) source.close();
  }
}

let interrupted = false;

/** True once a signal asked for the end. */
export const stopped = (): boolean => interrupted;

/** From now on SIGINT and its like end what is going on in order: everything is taken off, what was found is shown. */
export function endInOrder(): void {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => (interrupted = true));
}

/** Losses as a plain object. */
export const lostOf = (listener: Listener): Lost => ({ ...listener.lost });
