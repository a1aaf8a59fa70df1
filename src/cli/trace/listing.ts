/**
 * What is printed of a source: packets or interrupts in order, losses as they are noticed, a summary. For whatever drains
 * the source: a trace that runs, a file that is imported.
 */
import type { Timeline } from '../../base/time.js';
import { type ArrivalFacts, PacketCursor } from '../../packet/arrival.js';
import { IN_FLIGHT_NS, Joiner } from '../../packet/join.js';
import { Selection, type Wanted } from '../../packet/selection.js';
import { LossLedger } from '../../record/loss.js';
import {
  type InterruptRecord,
  type RecordSource,
  interruptEnd,
  interruptStart,
} from '../../record/source.js';
import type { Change, Format, TraceMeta } from '../../report/format/format.js';
import { FORMATS, type FormatName } from '../../report/format/index.js';
import type { Lookups } from '../../report/lookups.js';
import { Merges } from '../../report/merges.js';
import { Summary } from '../../report/summary.js';
import { Output } from '../../sys/output.js';
import { type StageName, stageIndex } from '../../stages.js';

/** What is listed. */
export interface Listed extends Wanted {
  readonly until: StageName;
  readonly format: FormatName;
  /** Interrupts instead of packets. */
  readonly interrupts: boolean;
  readonly count: number | undefined;
  readonly waitNs: number;
}

/** Prints what a source gives. Call {@link begin} once, {@link emit} behind each drain, {@link finish} at the end. */
export class Listing {
  readonly output = new Output();
  readonly summary: Summary;
  readonly selection: Selection;
  readonly ledger = new LossLedger();
  private readonly merges = new Merges();
  /** Whether anything behind the stack is looked at: only there packets are merged, read or dropped. */
  private readonly further: boolean;
  private readonly cursor = new PacketCursor();
  private readonly joiner: Joiner;
  private readonly format: Format;
  private readonly listed: Listed;
  private readonly source: RecordSource;
  /** Interrupts of all CPUs, to be put in order. */
  private pending: InterruptRecord[] = [];

  constructor(listed: Listed, source: RecordSource, timeline: Timeline, facts: ArrivalFacts) {
    this.listed = listed;
    this.source = source;
    this.joiner = new Joiner(source, listed.until, facts, { waitNs: listed.waitNs });
    const stamped = source.ways.filter((way) => way.hook !== undefined).map((way) => way.stage);
    this.further = stamped.some((stage) => stageIndex(stage) > stageIndex('stack'));
    const lookups = this.lookups();
    this.selection = new Selection(listed);
    this.summary = new Summary(stamped, lookups);
    this.format = FORMATS[listed.format](timeline, stamped, lookups);
    source.onLoss = (loss) => {
      this.ledger.add(loss);
      this.output.write(this.format.loss(loss));
    };
    // Methods that make packets of events tell interrupts all the time.
    source.onInterrupt = listed.interrupts ? (interrupt) => this.pending.push(interrupt) : () => {};
  }

  /** The first lines. */
  begin(meta: TraceMeta): void {
    this.output.write(this.format.header(meta));
  }

  /** Says what has changed about what is traced, where the format has a place for it. */
  note(time: number, change: Change): void {
    this.output.write(this.format.note?.(time, change) ?? '');
  }

  /** True when as many were shown as were asked for. */
  full(): boolean {
    const seen = this.listed.interrupts ? this.summary.interrupts : this.summary.packets;
    return this.listed.count !== undefined && seen >= this.listed.count;
  }

  /** Prints what is ready. @param final the source has stopped: nothing is waited for */
  emit(final: boolean): void {
    const { interrupts } = this.listed;
    this.joiner.begin(final);
    const { packetBytes } = this.format;
    const write = (bytes: Uint8Array, at: number): number => packetBytes!.write(this.cursor, bytes, at);
    const packetsFull = (): boolean => !interrupts && this.full();
    while (!packetsFull() && this.joiner.next(this.cursor, final)) {
      if (!this.selection.admits(this.cursor)) continue;
      this.summary.count(this.cursor);
      if (interrupts) continue;
      if (this.further) this.merges.note(this.cursor, this.summary.packets);
      if (packetBytes === undefined) this.output.write(this.format.packet(this.cursor, this.summary.packets));
      else this.output.fill(packetBytes.most, write);
    }
    this.joiner.end();
    if (interrupts) this.emitInterrupts(final);
    this.output.flush();
  }

  private emitInterrupts(final: boolean): void {
    const complete = final ? Number.POSITIVE_INFINITY : this.source.drainedTo - IN_FLIGHT_NS;
    this.pending.sort((a, b) => interruptStart(a) - interruptStart(b));
    const ready = this.pending.filter((interrupt) => interruptEnd(interrupt) <= complete);
    this.pending = this.pending.filter((interrupt) => interruptEnd(interrupt) > complete);
    for (const interrupt of ready) {
      if (this.full()) return;
      this.summary.interrupts++;
      this.output.write(this.format.interrupt(interrupt, this.summary.interrupts));
    }
  }

  /** The last lines. */
  finish(): void {
    this.summary.unmatchedStages = this.joiner.unmatchedStages;
    this.summary.lateStages = this.joiner.late;
    this.output.write(this.format.summary(this.summary, this.ledger));
    this.output.flush();
    // Formats without a place for it: what was lost must be seen all the same.
    if (this.listed.format === 'times' || this.listed.format === 'csv') {
      const { summary, ledger } = this;
      const lines = [summary.text(ledger), ...summary.detailLines(), ...summary.lossLines(ledger)];
      process.stderr.write(`${lines.join('\n')}\n`);
    }
  }

  private lookups(): Lookups {
    return {
      task: (tid) => this.joiner.taskName(tid),
      dropReason: (reason) => this.source.dropReasonName(reason),
      mergedInto: (cursor) => this.merges.into(cursor),
      mergedFrom: (cursor) => this.merges.from(cursor),
    };
  }
}
