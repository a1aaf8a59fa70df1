/**
 * Base of the methods that listen through a trace instance: it reads the instance's buffers, sends each event to whoever
 * decodes it, and keeps the ledger. What was lost is told by the pages themselves, where it happened; what pages do
 * not tell (events refused while nested too deep) by each CPU's counters, once a second and at the end.
 */
import type { LossCause } from '../../record/loss.js';
import { EventFields } from '../../sys/tracefs-format.js';
import type { TraceInstance } from '../../sys/trace-instance.js';
import { BasicSource } from '../basic-source.js';
import type { Assembler } from '../events/assembler.js';
import type { Fields } from '../events/table.js';
import type { MethodName } from '../names.js';

const COUNT_EVERY_NS = 1e9;

/** Takes one event. */
export type TakeEvent = (cpu: number, time: number, fields: Fields) => void;

/** A source on a trace instance. */
export abstract class InstanceSource extends BasicSource {
  protected readonly instance: TraceInstance;
  protected abstract readonly assembler: Assembler;
  private readonly takers = new Map<number, { readonly fields: EventFields; readonly take: TakeEvent }>();
  /** Written over, by CPU, as far as pages told it. */
  private readonly told = new Map<number, number>();
  /** Refused, by CPU, at the last look at the counters. */
  private readonly refused = new Map<number, number>();
  private nextCount = COUNT_EVERY_NS;
  private counted = 0;
  /** Nothing is recorded any more. */
  protected over = false;
  private ended = false;

  protected constructor(method: MethodName, instance: TraceInstance) {
    super(method);
    this.instance = instance;
  }

  /** Has an event decoded; it is recorded from now on. */
  protected listen(event: string, filter: string | undefined, take: TakeEvent): void {
    this.expect(event, take);
    if (filter !== undefined) this.instance.filter(event, filter);
    this.instance.enable(event);
  }

  /** Has an event decoded that is not turned on by itself. */
  protected expect(event: string, take: TakeEvent): void {
    const format = this.instance.format(event);
    this.takers.set(format.id, { fields: new EventFields(format), take });
  }

  protected read(): number {
    if (this.ended) return 0;
    const now = this.now();
    const events = this.instance.readEvents(this.base, this.over ? Number.POSITIVE_INFINITY : now, this);
    if (this.over) {
      this.settle();
      this.ended = true;
    } else if (now >= this.nextCount) {
      this.nextCount = now + COUNT_EVERY_NS;
      this.count(now);
    }
    return events;
  }

  /** Called by the instance for each event. */
  event(cpu: number, time: number, view: DataView, start: number, length: number): void {
    const taker = this.takers.get(view.getUint16(start, true));
    if (taker === undefined || !taker.fields.at(view, start, length)) {
      this.lost('not_understood', cpu, 1);
      return;
    }
    taker.take(cpu, time, taker.fields);
  }

  /** Called by the instance where events of a CPU are missing. @param count undefined: the page does not say how many */
  gap(cpu: number, count: number | undefined): void {
    this.assembler.gap(cpu);
    if (count === undefined) return; // the counters know
    this.told.set(cpu, (this.told.get(cpu) ?? 0) + count);
    this.lost('events_lost', cpu, count);
  }

  /** Called by the instance for a page that could not be walked to its end. */
  broken(cpu: number): void {
    this.assembler.gap(cpu);
    this.lost('not_understood', cpu, 1);
  }

  /** Tells of losses that the instance does not know. */
  protected otherLosses(): void {}

  /** Notes what was lost since the last look at the counters. */
  private count(now: number): void {
    for (const [cpu, { refused }] of this.instance.lostSoFar()) this.tellRefused(cpu, refused, now);
    this.otherLosses();
    this.counted = now;
  }

  private tellRefused(cpu: number, total: number, to: number): void {
    const count = total - (this.refused.get(cpu) ?? 0);
    this.refused.set(cpu, total);
    if (count > 0) this.onLoss({ cause: 'events_lost', cpu, count, from: this.counted, to });
  }

  /** At the end: what the counters know and no page has told. */
  private settle(): void {
    const now = this.now();
    for (const [cpu, { refused, overwritten }] of this.instance.lostSoFar()) {
      this.tellRefused(cpu, refused, now);
      const untold = overwritten - (this.told.get(cpu) ?? 0);
      if (untold > 0) this.onLoss({ cause: 'events_lost', cpu, count: untold, from: 0, to: now });
    }
    this.otherLosses();
    this.counted = now;
  }

  /** Notes a loss of no CPU in particular since the last look. */
  protected toldLoss(cause: LossCause, count: number): void {
    if (count > 0) this.onLoss({ cause, cpu: -1, count, from: this.counted, to: this.now() });
  }

  protected detach(): void {
    this.instance.disable();
    this.over = true;
  }

  protected release(): void {
    this.instance.remove();
  }
}
