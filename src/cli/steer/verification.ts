/** Counting whether a steering works: our own stamps where they can be had, else the driver's counters. */
import type { FlowSpec } from '../../steer/flow-spec.js';
import { grown, queuePackets } from '../../steer/counters.js';
import type { Way } from '../../steer/plan.js';
import { type FlowCount, type Verdict, countText, judge } from '../../steer/watch.js';
import type { SteerWish } from './options.js';
import type { SteerTarget } from './target.js';
import { type Watching, openWatch, watchUntil } from './watching.js';

/** Packets that were in the NIC's rings before a change come behind it: so long they are not counted, */
const SETTLE_NS = 100e6;
/** and while they still come, at most so long. */
const SETTLE_MOST_NS = 1e9;
/** How long to look before the change: where did the flow come then? */
const BASELINE_NS = 500e6;

/** The verdict with the counts that it stands on. */
export interface Judged {
  readonly verdict: Verdict;
  readonly words: string;
}

/** The counting around one steering. */
export class Verification {
  private readonly target: SteerTarget;
  private readonly wish: SteerWish;
  private readonly watching: Watching;
  private way: Way = 'rule';
  private after: FlowCount | undefined;
  private from = 0;
  private countersBefore: ReadonlyMap<number, number> = new Map();
  private seconds = 0;

  /** @param watching is closed by {@link Verification.close} */
  constructor(target: SteerTarget, wish: SteerWish, watching: Watching) {
    this.target = target;
    this.wish = wish;
    this.watching = watching;
  }

  /** Begins to count, by what this machine allows. @param specs what the flow is, as rules hold it */
  static async open(target: SteerTarget, specs: readonly FlowSpec[], wish: SteerWish): Promise<Verification> {
    const watching = wish.verifyNs === 0 ? { why: '--verify 0' } : await openWatch(target.nic, specs);
    return new Verification(target, wish, watching);
  }

  private now(): number {
    return 'watch' in this.watching ? this.watching.now() : performance.now() * 1e6;
  }

  /** Looks where the flow comes before anything is changed. */
  async baseline(stopped: () => boolean): Promise<void> {
    if (!('watch' in this.watching)) return;
    const end = this.now() + Math.min(BASELINE_NS, this.wish.verifyNs / 4);
    await watchUntil(this.watching, () => stopped() || this.now() >= end);
  }

  /** What came before the change; undefined where nothing was watched. */
  before(): FlowCount | undefined {
    return 'watch' in this.watching ? this.watching.watch.first : undefined;
  }

  /** The change begins: what comes from now on tells nothing until it is made. */
  changing(): void {
    if ('watch' in this.watching) this.watching.watch.begin(this.now());
  }

  /** The change has been made. */
  changed(way: Way): void {
    this.way = way;
    this.from = this.now();
    if ('watch' in this.watching) this.watching.watch.begin(this.from);
  }

  /**
   * Counts for so long after the change has settled.
   * @param early end as soon as packets are seen elsewhere
   */
  async watch(durationNs: number, done: () => boolean, early = true): Promise<void> {
    if (this.wish.verifyNs === 0) {
      if (this.wish.forThisRun)
        await watchUntil(this.watching, () => done() || this.now() >= this.from + durationNs);
      return;
    }
    await this.settle(done);
    const end = this.from + durationNs;
    await watchUntil(
      this.watching,
      () => done() || this.now() >= end || (early && this.verdictSoFar() === 'elsewhere'),
    );
    this.seconds = Math.max(0, this.now() - this.from) / 1e9;
  }

  /** Lets pass what was under way in the rings: ends with the first moment in which nothing came elsewhere. */
  private async settle(done: () => boolean): Promise<void> {
    const limit = this.from + SETTLE_MOST_NS;
    do {
      this.from += SETTLE_NS;
      await watchUntil(this.watching, () => done() || this.now() >= this.from);
      if ('watch' in this.watching) this.after = this.watching.watch.begin(this.from);
      this.countersBefore = this.counters();
      await watchUntil(this.watching, () => done() || this.now() >= this.from + SETTLE_NS);
    } while (!done() && this.verdictSoFar() === 'elsewhere' && this.from < limit);
  }

  private verdictSoFar(): Verdict {
    return this.after === undefined ? 'unseen' : judge(this.after, this.wish.queue);
  }

  private counters(): ReadonlyMap<number, number> {
    const counters = this.target.settings.statistics();
    return counters.known ? queuePackets(counters.value) : new Map();
  }

  /** What was counted, in words. */
  verdict(): Judged {
    const span = `in ${this.seconds.toFixed(1)} s`;
    const driver = grown(this.countersBefore, this.counters());
    const nicWords = [...driver].map(([queue, count]) => `queue ${queue}: ${count}`).join(', ');
    const nicSays = nicWords === '' ? '' : `; all packets by the driver's own counters: ${nicWords}`;
    if (!('watch' in this.watching) || this.after === undefined) {
      return this.byCounters(
        driver,
        'why' in this.watching ? this.watching.why : 'nothing was watched',
        span,
      );
    }
    const { after } = this;
    const lost = after.lost > 0 ? `; ${after.lost} packets could not be looked at` : '';
    const untold =
      after.untold > 0
        ? `; the headers of ${after.untold} more do not tell whether they are of the flow`
        : '';
    const before = `before the change: ${countText(this.watching.watch.first)}`;
    const verdict = judge(after, this.wish.queue);
    const total = [...after.byQueue.values()].reduce((sum, count) => sum + count, 0);
    const what = `${total} packet${total === 1 ? '' : 's'} of ${after.flows} flow${after.flows === 1 ? '' : 's'} ${span}`;
    switch (verdict) {
      case 'verified': {
        const cpus = [...(after.cpus.get(this.wish.queue) ?? [])].sort((a, b) => a - b).join(', ');
        return {
          verdict,
          words: `verified: ${what}, all on queue ${this.wish.queue}, polled by CPU ${cpus} (${before}${nicSays}${untold}${lost})`,
        };
      }
      case 'elsewhere':
        return { verdict, words: `does not work: ${what}: ${countText(after)} (${before}${nicSays}${lost})` };
      case 'unseen': {
        const none =
          after.untold > 0
            ? 'of no packet it is certain that it is of the flow'
            : 'no packet of the flow came';
        const others = `${after.packets - after.untold} others came`;
        return { verdict, words: `not verified: ${none} ${span} (${others}${nicSays}${untold}${lost})` };
      }
      case 'untold':
        return this.byCounters(driver, `the driver does not record the queue of a packet`, span);
    }
  }

  /** Without stamps: the counters tell something only where all flows move. */
  private byCounters(driver: ReadonlyMap<number, number>, why: string, span: string): Judged {
    const words = [...driver].map(([queue, count]) => `queue ${queue}: ${count}`).join(', ');
    const counted =
      words === ''
        ? 'the driver counts no queues that rxstamp knows'
        : `by the driver's counters ${span}: ${words}`;
    const there = driver.get(this.wish.queue) ?? 0;
    const total = [...driver.values()].reduce((sum, count) => sum + count, 0);
    if (this.way === 'table' && total > 0 && this.wish.verifyNs > 0) {
      if (there === total)
        return { verdict: 'verified', words: `verified for all packets ${counted} (stamps: ${why})` };
      return {
        verdict: 'untold',
        words: `not verified: ${why}; ${counted} (packets that are not hashed may go to any queue)`,
      };
    }
    return { verdict: 'untold', words: `not verified: ${why}; ${counted}` };
  }

  close(): void {
    if ('close' in this.watching) this.watching.close();
  }
}
