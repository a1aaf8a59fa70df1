/** All formats of text, and which of them a file is. */
import { bpftrace } from './bpftrace.js';
import { dmesg } from './dmesg.js';
import type { TextFormat } from './format.js';
import { ftrace, traceCmd } from './ftrace.js';
import { perfScript } from './perf-script.js';

/** By the name that --from takes. */
export const TEXT_FORMATS: readonly TextFormat[] = [dmesg, ftrace, traceCmd, perfScript, bpftrace];

/** The format that knows the most of these lines; undefined: none knows any. The first of equals. */
export function detect(lines: readonly string[]): TextFormat | undefined {
  let best: TextFormat | undefined;
  let most = 0;
  for (const format of TEXT_FORMATS) {
    const known = lines.reduce((count, line) => count + Number(format.knows(line)), 0);
    if (known <= most) continue;
    most = known;
    best = format;
  }
  return best;
}
