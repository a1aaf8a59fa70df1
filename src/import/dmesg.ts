/**
 * The kernel's log as text: `dmesg`, `dmesg --time-format iso`, `journalctl -k -o short-monotonic` or `short-iso-precise`,
 * kern.log, raw /dev/kmsg. The lines of interest are those of examples/printk-module, or of a kernel with such a printk.
 */
import { INTERRUPT_WORDS, parseInterruptLine } from '../method/printk/line.js';
import type { FileClock, Findings, LineKind, LineReader, TextFormat } from './format.js';

/** `<7>[   12.345678] ` of dmesg (--raw), with whatever syslog has put before it. */
const SINCE_BOOT = /^(?:<\d{1,3}>|[A-Za-z0-9].{0,90}?kernel: )?\[\s*(\d{1,9})\.(\d{6})\] ?/;
/** `2026-11-23T07:12:05,891804+00:00 ` */
const ISO = /^(?:<\d{1,3}>)?(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)[.,](\d{6})(Z|[+-]\d\d:?\d\d) /;
/** `7,1046,6870893,-;` of /dev/kmsg. */
const RECORD = /^\d{1,4},\d+,(\d{1,15}),[^;]{0,60};/;

interface LogTime {
  readonly clock: FileClock;
  readonly seconds: number;
  readonly micros: number;
}

/** The offset as ISO 8601 has it, with its colon. */
const zone = (text: string): string => text.replace(/^([+-]\d\d)(\d\d)$/, '$1:$2');

function timeOf(line: string): LogTime | undefined {
  const boot = SINCE_BOOT.exec(line);
  if (boot !== null) return { clock: 'local', seconds: Number(boot[1]), micros: Number(boot[2]) };
  const record = RECORD.exec(line);
  if (record !== null) {
    const micros = Number(record[1]);
    return { clock: 'local', seconds: Math.floor(micros / 1e6), micros: micros % 1e6 };
  }
  const iso = ISO.exec(line);
  if (iso === null) return undefined;
  const seconds = Date.parse(`${iso[1]}${zone(iso[3] ?? '')}`) / 1000;
  return seconds >= 0 ? { clock: 'realtime', seconds, micros: Number(iso[2]) } : undefined;
}

class DmesgReader implements LineReader {
  clock: FileClock = 'unknown';
  private began = false;

  line(text: string, into: Findings): LineKind {
    const at = timeOf(text);
    if (!text.includes(INTERRUPT_WORDS)) {
      // What a message has behind its first line is indented; raw records have their dictionary there.
      return at !== undefined || /^(?:<\d{1,3}>)?\s/.test(text) ? 'other' : 'malformed';
    }
    const line = parseInterruptLine(text);
    if (line === undefined || at === undefined) return 'malformed';
    const clock = line.time === undefined ? at.clock : 'monotonic';
    if (!this.began) {
      this.began = true;
      this.clock = clock;
    }
    const { irq, vector, cpu } = line;
    if (this.clock === 'monotonic' && line.time !== undefined) {
      const seconds = Number(line.time / 1_000_000_000n);
      into.interrupt({ irq, vector, cpu, seconds, nanos: Number(line.time % 1_000_000_000n) });
    } else if (this.clock === at.clock) {
      into.interrupt({ irq, vector, cpu, seconds: at.seconds, nanos: at.micros * 1000 });
    } else {
      // In another clock than the lines before: it has no place among them.
      return 'malformed';
    }
    return 'record';
  }
}

/** The kernel's log. */
export const dmesg: TextFormat = {
  name: 'dmesg',
  sentence: 'lines of the kernel’s log: dmesg, journalctl -k, /dev/kmsg',
  tells: 'interrupts',
  parts: 'lines',
  stages: { entry: 'a printk at interrupt entry' },
  note: 'lines without Time= have the time of printing, some µs behind the entry, rounded down to 1 µs; wall-clock times of dmesg are sums that drift and miss suspends',
  knows: (line) => timeOf(line) !== undefined,
  reader: () => new DmesgReader(),
};
