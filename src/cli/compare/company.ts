/** All methods at once beside a slow kprobe program of another tool: who still sees every interrupt. */
import { RxError } from '../../base/errors.js';
import type { Company } from '../../compare/report.js';
import type { Method, MethodRequest } from '../../method/method.js';
import { hangSlowProgram } from '../../sys/company.js';
import { clockNow } from '../../sys/libc.js';
import { seenBy } from '../../compare/company.js';
import { countInterrupts } from './cost.js';
import { drainUntil, endAll, listenFromNow, lostOf, monotonic, startAll, stopped } from './listen.js';

/** A node process may take so long to start on a slow machine, and no longer. */
const START_MS = 20_000;

/** Everybody listens so much longer at either end: methods stamp an interrupt at different times. */
const EDGE_NS = 100_000_000;

/** What each method saw, or why there was no company. */
export type CompanyResult = ReadonlyMap<Method, Company> | string;

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
    await drainUntil(listeners, monotonic() + EDGE_NS, stopped);
    const start = listeners.map(({ sightings }) => sightings.length);
    // Reading a count takes its time. What came between the two outer stamps is at least what the counts differ by.
    const from = monotonic() - zero;
    const before = countInterrupts(irqs);
    const enough = (): boolean =>
      listeners.some(({ sightings }, index) => sightings.length - (start[index] as number) >= count);
    await drainUntil(listeners, monotonic() + limitNs, () => enough() || stopped());
    const counted = countInterrupts(irqs) - before;
    const to = monotonic() - zero;
    await drainUntil(listeners, monotonic() + EDGE_NS, stopped);
    endAll(listeners);
    const all = listeners.map(({ sightings }) => sightings);
    const { interrupts, seen } = seenBy(all, { from, to }, counted);
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
