/**
 * One poll as an indented hunk: the interrupt that led to it and its stages, then its packets, each with its way to the
 * reader or to where it was dropped. Every stage in nanoseconds from the stamped one before it, as tracing people know
 * it; the steps of a packet, those of its poll included, add up to the total in its line.
 */
import { flowText, readFlow } from '../../packet/flow.js';
import { type PacketCursor } from '../../packet/arrival.js';
import { POLL } from '../../record/lane.js';
import { STAGES, stageIndex } from '../../stages.js';
import { NO_LOOKUPS } from '../lookups.js';
import { type Step, stepsOf, totalOf } from '../steps.js';
import { errorBar, fateText, howText, placeOf } from '../words.js';
import type { FormatMaker } from './format.js';
import { clockWords, headerLines, textFormat } from './text.js';

const label = (stage: number): string => STAGES[stage]?.label ?? '';
const ofPoll = ({ stage }: Step): boolean => STAGES[stage]?.per === 'poll';

/** `+400`, `-20`; the first stage is where the count begins. */
function stepText({ delta }: Step): string {
  return Number.isNaN(delta) ? '0' : `${delta < 0 ? '' : '+'}${delta}`;
}

/** `irq 25 vector 0x25 on cpu 1`, `no interrupt of its own (line of irq 25)`. */
function causeText(cursor: PacketCursor): string {
  const { lane, poll } = cursor;
  const { irq, vector } = placeOf(cursor);
  const caused = poll >= 0 && ((lane.polls.flags[poll] as number) & POLL.CAUSED) !== 0;
  if (!caused) return `no interrupt of its own${irq === '-' ? '' : ` (line of irq ${irq})`}`;
  const irqCpu = lane.polls.irqCpu[poll] as number;
  return `irq ${irq} vector ${vector}${irqCpu === lane.cpu ? '' : ` on cpu ${irqCpu}`}`;
}

export const treeFormat: FormatMaker = (timeline, stages, lookups = NO_LOOKUPS) => {
  const text = textFormat(timeline, stages, lookups);
  const shown = stages.map((name) => stageIndex(name));
  const further = shown.some((index) => index > stageIndex('stack'));
  // Polls of several CPUs run at the same time, and their packets come in order of time: whose hunk is open.
  let openCpu = -1;
  let openEnd = Number.NaN;

  /** True for the first packet of a hunk; remembers which one is open. */
  const opens = (cursor: PacketCursor): boolean => {
    const end = cursor.poll < 0 ? Number.NaN : (cursor.lane.polls.end[cursor.poll] as number);
    const same = cursor.lane.cpu === openCpu && end === openEnd;
    openCpu = cursor.lane.cpu;
    openEnd = end;
    return !same;
  };
  /** Polls whose heading was printed, by CPU: packets of another CPU may have come in between. */
  const printed = new Map<number, number>();

  const heading = (cursor: PacketCursor, steps: readonly Step[]): string[] => {
    const { cpu, queue } = placeOf(cursor);
    const goesOn = cursor.poll >= 0 && printed.get(cursor.lane.cpu) === openEnd;
    printed.set(cursor.lane.cpu, openEnd);
    const own = steps.filter(ofPoll);
    const begin = own[0]?.time ?? cursor.arrival;
    const first = `${timeline.text(begin)} ${causeText(cursor)} cpu ${cpu} queue ${queue}${goesOn ? ' goes on' : ''}`;
    if (goesOn) return [first];
    const width = Math.max(...own.map((step) => label(step.stage).length)) + 1;
    return [
      first,
      ...own.map((step, index) => {
        const delta = index === 0 ? '0' : stepText(step);
        return `  ${label(step.stage).padEnd(width)}${delta.padStart(8)}`;
      }),
    ];
  };

  return {
    ...text,
    header: (meta) => {
      if (meta.filter['interrupts'] === true) return text.header(meta);
      const clock = `${clockWords(meta)}, each stage in ns from the one before it`;
      return `${[...headerLines(meta), clock].join('\n')}\n`;
    },
    packet(cursor, number) {
      const steps = stepsOf(cursor, shown);
      const lines = opens(cursor) ? heading(cursor, steps) : [];
      const way = steps.flatMap((step, index) => {
        if (!ofPoll(step)) return [`${label(step.stage)} ${stepText(step)}`];
        // The NIC's stamp is the packet's, and lies before those of its poll: the way from there to them.
        const before = steps[index - 1];
        return before === undefined || ofPoll(before) ? [] : [`${label(step.stage)} ${stepText(step)}`];
      });
      const flow = flowText(readFlow(cursor.lane, cursor.row));
      const end = further ? `  ${fateText(cursor, lookups)}` : '';
      lines.push(
        `    t${number} ${timeline.text(cursor.arrival)} ${errorBar(cursor)} ${howText(cursor)}  ${flow}`,
        `      ${way.join('  ')}  = ${totalOf(steps)} ns${end}`,
      );
      return `${lines.join('\n')}\n`;
    },
    summary(summary, ledger) {
      openCpu = -1;
      openEnd = Number.NaN;
      printed.clear();
      return text.summary(summary, ledger);
    },
  };
};
