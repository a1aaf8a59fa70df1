/** Bare timestamps, one per line: t1, t2, t3, t4… and nothing else. What was lost is in the exit code and on stderr. */
import type { FormatMaker } from './format.js';

export const timesFormat: FormatMaker = (timeline) => ({
  header: () => '',
  packet: (cursor) => `${timeline.text(cursor.arrival)}\n`,
  interrupt: (interrupt) =>
    `${timeline.text(Number.isNaN(interrupt.entry) ? interrupt.isr : interrupt.entry)}\n`,
  loss: () => '',
  summary: () => '',
});
