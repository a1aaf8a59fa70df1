/** All methods at once beside a slow kprobe program of another tool: who still sees every interrupt. */
import { RxError } from '../../base/errors.js';
import type { Company } from '../../compare/report.js';
import type { Method, MethodRequest } from '../../method/method.js';
import { hangSlowProgram } from '../../sys/company.js';
import { clockNow } from '../../sys/libc.js';
import { type Sighting, matchInterrupts } from '../../compare/match.js';
import { countInterrupts } from './cost.js';
import {
  type Listener,
  drainUntil,
  endAll,
  listenFromNow,
  lostOf,
  monotonic,
  startAll,
  stopped,
} from './listen.js';

/** A node process may take so long to start on a slow machine, and no longer. */
const START_MS = 20_000;

/** What each method saw, or why there was no company. */
export type CompanyResult = ReadonlyMap<Method, Company> | string;

/** What the method that saw the most saw from one moment to another; best one that stamps the handler's end. */
function referenceOf(listeners: readonly Listener[], from: number, to: number): readonly Sighting[] {
  const within = listeners
    .map(({ sightings }) => sightings.filter(({ irq, time }) => irq >= 0 && time >= from && time <= to))
    .sort((a, b) => b.length - a.length);
  const most = within[0]?.length ?? 0;
  const ended = (all: readonly Sighting[]): boolean => all.every(({ end }) => !Number.isNaN(end));
  return within.find((all) => all.length === most && ended(all)) ?? within[0] ?? [];
}

/** How many interrupts of the reference a method saw. */
const matchedWith = (reference: readonly Sighting[], seen: readonly Sighting[]): number =>
  matchInterrupts(reference, seen).times.reduce((sum, time) => sum + Number(!Number.isNaN(time)), 0);

/**
 * Runs the methods beside a slow program until one of them has seen `count` interrupts, and for no longer than `limitNs`.
 * @param cpus where the interrupts come in
 * @param irqs whose interrupts are counted
 */
export async function keepCompany(
  methods: readonly Method[],
  request: MethodRequest,
  cpus: readonly number[],
  irqs: readonly number[],
  count: number,
  limitNs: number,
): Promise<CompanyResult> {
  let slow: ReturnType<typeof hangSlowProgram>;
  try {
    slow = hangSlowProgram();
  } catch (error) {
    if (error instanceof RxError) return error.message;
    throw error;
  }
  const base = clockNow('mono');
  const zero = Number(base);
  const { listeners } = await startAll(methods, request, base);
  const company = slow.start(cpus, START_MS + limitNs / 1e6);
  try {
    if (!(await company.ready)) return 'the task that calls the slow program did not start';
    listenFromNow(listeners, base);
    // Reading a count takes its time. What came between the two outer stamps is at least what the counts differ by.
    const from = monotonic() - zero;
    const before = countInterrupts(irqs);
    const enough = (): boolean => listeners.some(({ sightings }) => sightings.length >= count);
    await drainUntil(listeners, monotonic() + limitNs, () => enough() || stopped());
    const counted = countInterrupts(irqs) - before;
    const to = monotonic() - zero;
    endAll(listeners);
    const reference = referenceOf(listeners, from, to);
    // All that came before was left out, and what came behind the end belongs to no interrupt of the reference.
    const seen = listeners.map(({ sightings }) => matchedWith(reference, sightings));
    const interrupts = Math.max(counted, reference.length);
    return new Map(
      listeners.map((listener, index) => [
        listener.method,
        { interrupts, seen: seen[index] as number, lost: lostOf(listener) },
      ]),
    );
  } finally {
    company.close();
    await company.over;
    slow.close();
    for (const { source } of listeners) source.close();
  }
}
