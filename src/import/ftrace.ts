/** ftrace's text: the files `trace` and `trace_pipe`, and `trace-cmd report`. */
import { EVENT_STAGES, eventLine, nanosOf } from './events.js';
import type { FileClock, Findings, LineKind, LineReader, TextFormat } from './format.js';

/**
 * `  <idle>-0       [001] d.h1.   123.456789: irq_handler_entry: irq=25 name=eth0-rx-0`; a thread group `(  812)` behind the
 * task and the flags are options.
 */
const LINE =
  /^\s*(.{1,64}?)-(\d{1,10})\s+(?:\(\s*[\d-]+\)\s+)?\[(\d{3,5})\]\s+(?:[^\s[\]]{1,8}\s+)?(\d{1,10})\.(\d{6,9}):\s+(.*)$/;
const NAMED = /^(\w{1,64}):\s*(.*)$/;
/** `CPU:1 [LOST 12 EVENTS]` of trace_pipe, `CPU:1 [12 EVENTS DROPPED]` of trace-cmd; either may not know how many. */
const LOST = /^CPU:\s?(\d{1,5}) \[(?:LOST (\d{1,15}) EVENTS|(?:(\d{1,15}) )?EVENTS DROPPED|LOST EVENTS)\]/;
/** `# entries-in-buffer/entries-written: 205/1205   #P:2`: what was overwritten before the file was read. */
const WRITTEN = /^# entries-in-buffer\/entries-written: (\d{1,15})\/(\d{1,15})/;

class FtraceReader implements LineReader {
  /** trace_clock may be any; the text does not tell. */
  readonly clock: FileClock = 'unknown';

  line(text: string, into: Findings): LineKind {
    const match = LINE.exec(text);
    if (match === null) return this.aside(text, into);
    const [, task = '', pid, cpu, seconds, fraction = '', rest = ''] = match;
    const place = {
      cpu: Number(cpu),
      seconds: Number(seconds),
      nanos: nanosOf(fraction),
      pid: Number(pid),
      task,
    };
    const named = NAMED.exec(rest);
    // Other tracers' lines: functions, their stacks.
    return named === null ? 'other' : eventLine(place, named[1] ?? '', named[2] ?? '', into);
  }

  private aside(text: string, into: Findings): LineKind {
    const lost = LOST.exec(text);
    if (lost !== null) {
      into.lost(Number(lost[2] ?? lost[3] ?? 1), Number(lost[1]));
      return 'record';
    }
    const written = WRITTEN.exec(text);
    if (written !== null) {
      into.lost(Math.max(0, Number(written[2]) - Number(written[1])), -1);
      return 'other';
    }
    // Comments; trace-cmd's first line; frames of stacks; what perf-tools say first and last.
    return /^#|^cpus=\d+$|^\s+=> |^version = \d|^\s*$|^Tracing |^Ending tracing/.test(text)
      ? 'other'
      : 'malformed';
  }
}

/** ftrace. */
export const ftrace: TextFormat = {
  name: 'ftrace',
  sentence: 'ftrace’s files trace and trace_pipe, trace-cmd report',
  tells: 'both',
  parts: 'lines',
  stages: EVENT_STAGES,
  knows: (line) => LINE.test(line) || LOST.test(line),
  reader: () => new FtraceReader(),
};

/** The same lines under the name of the program that wrote them. */
export const traceCmd: TextFormat = { ...ftrace, name: 'trace-cmd', sentence: 'trace-cmd report' };
