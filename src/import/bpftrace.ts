/** The lines that the bpftrace programs of `rxstamp explain` print: `irq 25 vec 38 cpu 1 time 123456789`. */
import { MOST_CPUS } from './events.js';
import type { FileClock, Findings, LineKind, LineReader, TextFormat } from './format.js';

const LINE = /^irq (-?\d{1,9}) vec (\d{1,5}) cpu (\d{1,5}) time (\d{1,19})\s*$/;
/** What bpftrace itself prints: how many probes, events that its buffer had no room for, maps at the end. */
const LOST = /^Lost (\d{1,15}) events$/;
const NANOS = 1_000_000_000n;

class BpftraceReader implements LineReader {
  /** nsecs is the one or the other since boot, by version and argument. */
  readonly clock: FileClock = 'unknown';

  line(text: string, into: Findings): LineKind {
    const match = LINE.exec(text);
    if (match !== null) {
      const [, irq, vector, cpu, time = '0'] = match;
      if (Number(cpu) >= MOST_CPUS) return 'malformed';
      const nanoseconds = BigInt(time);
      into.interrupt({
        irq: Math.max(-1, Number(irq)),
        vector: Number(vector),
        cpu: Number(cpu),
        seconds: Number(nanoseconds / NANOS),
        nanos: Number(nanoseconds % NANOS),
      });
      return 'record';
    }
    const lost = LOST.exec(text);
    if (lost !== null) {
      into.lost(Number(lost[1]), -1);
      return 'record';
    }
    return /^\s*$|^Attach(?:ing|ed) \d+ probes?|^@/.test(text) ? 'other' : 'malformed';
  }
}

/** bpftrace. */
export const bpftrace: TextFormat = {
  name: 'bpftrace',
  sentence: 'lines of the bpftrace programs of rxstamp explain',
  tells: 'interrupts',
  parts: 'lines',
  stages: { entry: 'bpftrace, at the probe that printed the line' },
  knows: (line) => LINE.test(line),
  reader: () => new BpftraceReader(),
};
