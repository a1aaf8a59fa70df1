/** `perf script`'s text. */
import { EVENT_STAGES, eventLine, nanosOf } from './events.js';
import type { FileClock, Findings, LineKind, LineReader, TextFormat } from './format.js';

/** `swapper     0 [001]   123.456789: irq:irq_handler_entry: irq=25 name=eth0-rx-0`, the tid also as pid/tid. */
const LINE =
  /^\s*(\S.{0,63}?)\s+(-?\d{1,10})(?:\/-?\d{1,10})?\s+\[(\d{3,5})\]\s+(\d{1,10})\.(\d{6,9}):\s+(.*)$/;
/** A period may stand before the event. */
const EVENT = /^(?:\d+\s+)?([\w-]{1,64}):([\w-]{1,64}):\s*(.*)$/;
const LOST = /^PERF_RECORD_LOST(?:_SAMPLES)?\s+lost\s+(\d{1,15})/;
/** A frame of a stack: `    ffffffff81000000 handle_edge_irq+0x8b ([kernel.kallsyms])`. */
const FRAME = /^\s+[0-9a-f]{4,16}\s/;

class PerfReader implements LineReader {
  /** perf record's -k may be any; the text does not tell. */
  readonly clock: FileClock = 'unknown';

  line(text: string, into: Findings): LineKind {
    const match = LINE.exec(text);
    if (match === null) return /^#|^\s*$/.test(text) || FRAME.test(text) ? 'other' : 'malformed';
    const [, task = '', pid, cpuText, seconds, fraction = '', rest = ''] = match;
    const cpu = Number(cpuText);
    const lost = LOST.exec(rest);
    if (lost !== null) {
      into.lost(Number(lost[1]), cpu);
      return 'record';
    }
    const event = EVENT.exec(rest);
    if (event === null) return /^PERF_RECORD_|^(?:\d+\s+)?[\w/=,.-]+:/.test(rest) ? 'other' : 'malformed';
    const place = {
      cpu,
      seconds: Number(seconds),
      nanos: nanosOf(fraction),
      pid: Math.max(0, Number(pid)),
      task,
    };
    return eventLine(place, event[2] ?? '', event[3] ?? '', into);
  }
}

/** perf. */
export const perfScript: TextFormat = {
  name: 'perf',
  sentence: 'perf script',
  tells: 'both',
  parts: 'lines',
  stages: EVENT_STAGES,
  knows: (line) => {
    const rest = LINE.exec(line)?.[6];
    return rest !== undefined && (EVENT.test(rest) || LOST.test(rest));
  },
  reader: () => new PerfReader(),
};
