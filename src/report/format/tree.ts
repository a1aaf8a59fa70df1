/** One interrupt as an indented hunk: its stages, then the packets of its poll, every step with its time from entry. */
import { deltaText } from '../../base/time.js';
import { flowText, readFlow } from '../../packet/flow.js';
import { HOW } from '../../packet/arrival.js';
import { STAGES, stageIndex } from '../../stages.js';
import type { FormatMaker } from './format.js';
import { headerLines, howText, placeOf, textFormat } from './text.js';

export const treeFormat: FormatMaker = (timeline, stages) => {
  const text = textFormat(timeline, stages);
  const shown = stages.map((name) => stageIndex(name));
  const before = shown.filter((index) => STAGES[index]?.per === 'poll');
  const after = shown.filter((index) => STAGES[index]?.per === 'packet');
  // Polls of several CPUs run at the same time, and their packets come in order of time: whose hunk is open.
  let openCpu = -1;
  let openEnd = Number.NaN;
  return {
    ...text,
    header: (meta) =>
      meta.filter['interrupts'] === true ? text.header(meta) : `${headerLines(meta).join('\n')}\n`,
    packet(cursor, number) {
      const place = placeOf(cursor);
      const lines: string[] = [];
      const end = cursor.poll < 0 ? Number.NaN : (cursor.lane.polls.end[cursor.poll] as number);
      const goesOn = cursor.k > 1;
      if (!goesOn || cursor.lane.cpu !== openCpu || end !== openEnd) {
        openCpu = cursor.lane.cpu;
        openEnd = end;
        const line = place.irq === '-' ? '' : ` (line of irq ${place.irq})`;
        const own = cursor.how === HOW.ownIrq || cursor.how === HOW.batch;
        const cause = own ? `irq ${place.irq} vector ${place.vector}` : `no interrupt of its own${line}`;
        const again = goesOn ? ' goes on' : '';
        lines.push(`${timeline.text(cursor.arrival)} ${cause} cpu ${place.cpu} queue ${place.queue}${again}`);
        for (const index of goesOn ? [] : before) {
          const time = cursor.stage(index);
          if (!Number.isNaN(time))
            lines.push(`  ${STAGES[index]?.label.padEnd(8)}${deltaText(time - cursor.arrival)}`);
        }
      }
      const times = after
        .map((index) => ({ label: STAGES[index]?.label ?? '', time: cursor.stage(index) }))
        .filter(({ time }) => !Number.isNaN(time))
        .map(({ label, time }) => `${label} ${deltaText(time - cursor.arrival)}`);
      const flow = flowText(readFlow(cursor.lane, cursor.row));
      lines.push(`    t${number} ${howText(cursor).padEnd(12)} ${flow}  ${times.join('  ')}`);
      return `${lines.join('\n')}\n`;
    },
  };
};
