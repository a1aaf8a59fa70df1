/** Bare timestamps, one per line: t1, t2, t3, t4… and nothing else. What was lost is in the exit code and on stderr. */
import { interruptStart } from '../../record/source.js';
import { TIME_TEXT_BYTES } from '../../base/time.js';
import type { FormatMaker } from './format.js';

const NEWLINE = 10;

export const timesFormat: FormatMaker = (timeline) => ({
  header: () => '',
  packetBytes: {
    most: TIME_TEXT_BYTES + 1,
    write(cursor, bytes, at) {
      const end = timeline.writeText(cursor.arrival, bytes, at);
      bytes[end] = NEWLINE;
      return end + 1;
    },
  },
  packet: (cursor) => `${timeline.text(cursor.arrival)}\n`,
  interrupt: (interrupt) => `${timeline.text(interruptStart(interrupt))}\n`,
  loss: () => '',
  summary: () => '',
});
