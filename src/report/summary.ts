/** Counts over the packets of a trace: what the closing lines say. */
import { barText } from '../base/time.js';
import { GROUNDS, HOW, HOW_NAMES, type PacketCursor } from '../packet/arrival.js';
import type { Stopped } from '../packet/selection.js';
import { FATE, FIRST_POLL_STAGE, POLL } from '../record/lane.js';
import { type LossLedger, PACKET_LOSS } from '../record/loss.js';
import { STAGE_NAMES, type StageName, stageIndex } from '../stages.js';
import { type Lookups, NO_LOOKUPS } from './lookups.js';
import { Widths } from './widths.js';
import { FATE_NAMES } from './words.js';

/**
 * True when a stage was stamped earlier than one before it. The NIC's stamp only has to lie before the packet's own: a
 * packet that its poll found behind the first one reached the NIC after the interrupt.
 */
function outOfOrder(cursor: PacketCursor, stamped: readonly number[]): boolean {
  const { hardware, hardwareError } = cursor.lane.packets;
  const earliest = (hardware[cursor.row] as number) - (hardwareError[cursor.row] as number);
  if (earliest > cursor.stage(cursor.firstStage)) return true;
  let last = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < stamped.length; i++) {
    const time = cursor.stage(stamped[i] as number);
    if (time < last) return true;
    // Not for what was not stamped.
    if (time > last) last = time;
  }
  return false;
}

/** How many packets of a class, in words; the other classes say their name. */
const HOW_WORDS: Readonly<Record<string, (count: number) => string>> = {
  'own-irq': (count) => `${count} by ${count === 1 ? 'its' : 'their'} own interrupt`,
  batch: (count) => `${count} in a batch`,
  polled: (count) => `${count} polled`,
  'no-irq': (count) => `${count} without an interrupt`,
  unknown: (count) => `${count} unmatched`,
};
/** Told also when there are none. */
const ALWAYS_TOLD: ReadonlySet<number> = new Set([HOW.ownIrq, HOW.batch, HOW.polled]);

/** Fates in words, where their name alone would not say it. */
const FATE_WORDS: Readonly<Record<number, string>> = {
  [FATE.queued]: 'queued unread',
  [FATE.closed]: 'closed unread',
  [FATE.kernel]: 'for the kernel itself',
  [FATE.open]: 'not seen to the end',
};

const STOPPED_WORDS: Readonly<Record<keyof Stopped, string>> = {
  expression: 'not of the expression',
  unreadable: 'not of the expression as far as they could be read',
  faster: 'not slower',
  unstamped: 'without one of the stamps',
  otherReader: 'read by others',
  unread: 'not seen to be read',
};

const some = (count: number, word: string): string => `${count} ${word}${count === 1 ? '' : 's'}`;

/** Packets by how they arrived, how sure that is, and how their way ended. */
export class Summary {
  readonly byHow: number[] = HOW_NAMES.map(() => 0);
  /** Of each class those whose rule leaves no other way; the others are probable. */
  readonly certain: number[] = HOW_NAMES.map(() => 0);
  /** Widths of the error bars by class. */
  readonly widths: readonly Widths[] = HOW_NAMES.map(() => new Widths());
  /** The class that each rule decided, -1: it did not occur. */
  private readonly rules: number[] = GROUNDS.map(() => -1);
  readonly byFate: number[] = FATE_NAMES.map(() => 0);
  /** Dropped packets by the kernel's number of the reason. */
  readonly byDropReason = new Map<number, number>();
  /** Packets shown. */
  packets = 0;
  interrupts = 0;
  bytes = 0;
  /** Records read from the kernel: what the filters let through costs one each, what they stopped costs none. */
  records = 0;
  /** Packets with a stamp that lies before the stage below it: never expected, always told. */
  outOfOrder = 0;
  /** Packets whose interrupt is a guess between several pending ones. */
  ambiguous = 0;
  /** Later stages whose packet was never read; they are in the ledger too, as `stage_unmatched`. */
  unmatchedStages = 0;
  /** Later stages that came when their packet had been shown already: mostly of a reader that took longer than `--wait`. */
  lateStages = 0;
  /** Packets that were seen but not shown, by why; undefined without a filter. */
  stopped: Stopped | undefined;
  private readonly lookups: Lookups;
  private readonly looksFurther: boolean;
  /** Packets are held until their end is seen, as long as --wait says. */
  private readonly waitsForEnd: boolean;
  private readonly stamped: readonly number[];

  /** @param stages that are stamped: without one behind `stack` nothing is said about how ways ended */
  constructor(stages: readonly StageName[] = STAGE_NAMES, lookups: Lookups = NO_LOOKUPS) {
    this.stamped = stages.map((stage) => stageIndex(stage)).filter((stage) => stage >= FIRST_POLL_STAGE);
    this.looksFurther = stages.some((stage) => stageIndex(stage) > stageIndex('stack'));
    this.waitsForEnd = stages.some((stage) => stageIndex(stage) >= stageIndex('read'));
    this.lookups = lookups;
  }

  count(cursor: PacketCursor): void {
    const { lane, row, how } = cursor;
    const fate = lane.packets.fate[row] as number;
    this.packets++;
    this.byHow[how] = (this.byHow[how] as number) + 1;
    if (cursor.certain) this.certain[how] = (this.certain[how] as number) + 1;
    this.widths[how]?.add(cursor.notAfter - cursor.notBefore);
    this.rules[cursor.rule] = how;
    this.byFate[fate] = (this.byFate[fate] as number) + 1;
    if (fate === FATE.dropped) {
      const reason = lane.packets.dropReason[row] as number;
      this.byDropReason.set(reason, (this.byDropReason.get(reason) ?? 0) + 1);
    }
    this.bytes += lane.packets.length[row] as number;
    if (cursor.poll >= 0 && ((lane.polls.flags[cursor.poll] as number) & POLL.AMBIGUOUS) !== 0)
      this.ambiguous++;
    if (outOfOrder(cursor, this.stamped)) this.outOfOrder++;
  }

  /** Packets that were seen: shown, or stopped by a filter. */
  get seen(): number {
    const stopped = Object.values(this.stopped ?? {}) as number[];
    return stopped.reduce((sum, count) => sum + count, this.packets);
  }

  /** Packets whose class is probable. */
  get probable(): number {
    return HOW_NAMES.reduce(
      (sum, _, how) =>
        sum + (how === HOW.unknown ? 0 : (this.byHow[how] as number) - (this.certain[how] as number)),
      0,
    );
  }

  /** `3 packets stamped · 1 by its own interrupt, 2 in a batch (1 probable), 0 polled · 0 lost`. */
  text(ledger: LossLedger): string {
    const how = HOW_NAMES.map((name, index) => ({ name, index, count: this.byHow[index] as number }))
      .filter(({ index, count }) => count > 0 || ALWAYS_TOLD.has(index))
      .map(({ name, index, count }) => {
        const probable = count - (this.certain[index] as number);
        const mark = probable === 0 || index === HOW.unknown ? '' : ` (${probable} probable)`;
        return `${HOW_WORDS[name]?.(count) ?? `${count} ${name}`}${mark}`;
      });
    const parts: string[] = [];
    if (this.packets > 0) parts.push(`${some(this.packets, 'packet')} stamped`, how.join(', '));
    if (this.interrupts > 0) parts.push(some(this.interrupts, 'interrupt'));
    if (parts.length === 0) parts.push('0 packets stamped');
    if (this.stopped !== undefined) parts.push(this.stoppedText(this.stopped));
    if (this.ambiguous > 0) parts.push(`${this.ambiguous} whose interrupt is one of several`);
    if (this.outOfOrder > 0) parts.push(`${this.outOfOrder} with stamps out of order`);
    parts.push(`${ledger.total()} lost`);
    return parts.join(' · ');
  }

  /** `shown 3 of 100 (90 not slower, 7 without one of the stamps)`. */
  private stoppedText(stopped: Stopped): string {
    const why = (Object.keys(STOPPED_WORDS) as (keyof Stopped)[])
      .filter((key) => stopped[key] > 0)
      .map((key) => `${stopped[key]} ${STOPPED_WORDS[key]}`);
    return `shown ${this.packets} of ${this.seen}${why.length === 0 ? '' : ` (${why.join(', ')})`}`;
  }

  /** How the ways ended, how wide the error bars are, what the marks mean, on what ground each class stands: lines. */
  detailLines(): string[] {
    const lines: string[] = [];
    if (this.looksFurther && this.packets > 0) lines.push(`ways: ${this.fateText()}`);
    if (this.lateStages > 0)
      lines.push(
        `${some(this.lateStages, 'stamp')} came after the packet was shown: ${
          this.waitsForEnd
            ? '--wait holds packets longer'
            : 'the CPU was held back; only packets that are followed to read are held longer'
        }`,
      );
    const bars = HOW_NAMES.flatMap((name, index) => {
      const { count, median, max } = this.widths[index] as Widths;
      return count === 0 ? [] : [`${name} median ${barText(median)}, max ${barText(max)}`];
    });
    const unknown = this.widths.reduce((sum, one) => sum + one.unknown, 0);
    if (bars.length > 0 && unknown > 0) bars.push(`not known for ${some(unknown, 'packet')}`);
    if (bars.length > 0) lines.push(`width of the error bars: ${bars.join('; ')}`);
    if (this.probable > 0) lines.push('a class with ?: probable, the evidence leaves another way');
    const grounds = this.rules.flatMap((how, rule) =>
      how < 0 ? [] : [`${HOW_NAMES[how]}: ${GROUNDS[rule]}`],
    );
    return [...lines, ...grounds];
  }

  private fateText(): string {
    const order = [...FATE_NAMES.keys()].filter((fate) => fate !== FATE.open);
    return [...order, FATE.open]
      .filter((fate) => (this.byFate[fate] as number) > 0)
      .map((fate) => {
        const why =
          fate === FATE.dropped
            ? ` (${this.dropReasons()
                .map(([name, count]) => `${count} ${name}`)
                .join(', ')})`
            : '';
        return `${this.byFate[fate]} ${FATE_WORDS[fate] ?? FATE_NAMES[fate]}${why}`;
      })
      .join(', ');
  }

  /** Drop reasons by name, most frequent first. */
  private dropReasons(): [string, number][] {
    const named = [...this.byDropReason].map(([reason, count]): [string, number] => [
      this.lookups.dropReason(reason) ?? (reason === 0 ? 'no reason given' : `reason ${reason}`),
      count,
    ]);
    return named.sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0]));
  }

  /** One line per cause and CPU; empty without loss. */
  lossLines(ledger: LossLedger): string[] {
    return ledger.list().map(({ cause, cpu, count }) => {
      const what = PACKET_LOSS.includes(cause) ? 'packets' : 'events';
      return `lost ${count} ${what}: ${cause}${cpu < 0 ? '' : ` on CPU ${cpu}`}`;
    });
  }

  /** The same as data, for NDJSON. */
  json(ledger: LossLedger): Record<string, unknown> {
    const byName = <T>(values: readonly T[]): Record<string, T> =>
      Object.fromEntries(HOW_NAMES.map((name, index) => [name, values[index] as T]));
    const widths = this.widths.map(({ count, unknown, median, max }) =>
      count === 0 ? { count, unknown, median: null, max: null } : { count, unknown, median, max },
    );
    return {
      packets: this.packets,
      seen: this.seen,
      ...(this.stopped === undefined ? {} : { stopped: this.stopped }),
      how: byName(this.byHow),
      certain: byName(this.certain),
      widths: byName(widths),
      ...(this.looksFurther
        ? {
            fates: Object.fromEntries(FATE_NAMES.map((name, index) => [name, this.byFate[index]])),
            dropReasons: Object.fromEntries(this.dropReasons()),
            unmatchedStages: this.unmatchedStages,
          }
        : {}),
      ...(this.looksFurther || this.lateStages > 0 ? { lateStages: this.lateStages } : {}),
      interrupts: this.interrupts,
      bytes: this.bytes,
      records: this.records,
      ambiguous: this.ambiguous,
      outOfOrder: this.outOfOrder,
      lost: ledger.total(),
      packetsLost: ledger.total(PACKET_LOSS),
      losses: ledger.list().map(({ cause, cpu, count }) => ({ cause, cpu: cpu < 0 ? null : cpu, count })),
    };
  }
}
