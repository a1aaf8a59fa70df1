/** The command line of `trace`, read and checked. */
import { RxError } from '../../base/errors.js';
import { parseCount, parseDuration, parseNumberList, parseSize } from '../../base/units.js';
import type { FormatName } from '../../report/format/index.js';
import type { StageName } from '../../stages.js';
import type { ClockName } from '../../sys/libc.js';

/** What `trace` was asked for. */
export interface TraceOptions {
  readonly interface: string | undefined;
  readonly irqs: readonly number[] | undefined;
  readonly queue: number | undefined;
  readonly cpus: readonly number[] | undefined;
  readonly count: number | undefined;
  readonly durationNs: number | undefined;
  readonly until: StageName;
  readonly clock: ClockName;
  readonly format: FormatName;
  readonly interrupts: boolean;
  /** Per CPU; undefined: chosen by the number of CPUs. */
  readonly ringBytes: number | undefined;
}

const MIN_RING = 65_536;
const MAX_RING = 1 << 30;

/** Ring size per CPU: the next power of two. @throws RxError RXS_USAGE */
export function ringBytes(text: string): number {
  const bytes = parseSize(text, '--buffer');
  if (bytes < MIN_RING || bytes > MAX_RING) {
    throw new RxError('RXS_USAGE', {
      doing: 'reading --buffer',
      subject: JSON.stringify(text),
      why: 'out of range',
      hint: 'give a size per CPU from 64KiB to 1GiB',
    });
  }
  return 2 ** Math.ceil(Math.log2(bytes));
}

function duration(text: string, option: string): number {
  const nanoseconds = parseDuration(text, option);
  if (nanoseconds > 0) return nanoseconds;
  throw new RxError('RXS_USAGE', {
    doing: `reading ${option}`,
    subject: JSON.stringify(text),
    why: 'nothing can be seen in no time',
    hint: 'write it like 500ms, 10s or 5m',
  });
}

type Raw = Readonly<Record<string, string | boolean | undefined>>;

/** Reads the options; commander has checked the choices. @throws RxError RXS_USAGE */
export function readOptions(argument: string | undefined, raw: Raw): TraceOptions {
  const text = (key: string): string | undefined => raw[key] as string | undefined;
  const optional = <T>(key: string, read: (value: string, option: string) => T): T | undefined => {
    const value = text(key);
    return value === undefined ? undefined : read(value, `--${key}`);
  };
  const named = text('interface');
  if (argument !== undefined && named !== undefined && argument !== named) {
    throw new RxError('RXS_USAGE', {
      doing: 'choosing an interface',
      subject: `${argument}, ${named}`,
      why: 'two different ones were given',
      hint: 'give one, as argument or with -i',
    });
  }
  const queue = optional('queue', parseNumberList);
  if (queue !== undefined && queue.length !== 1) {
    throw new RxError('RXS_USAGE', {
      doing: 'reading --queue',
      subject: String(text('queue')),
      why: 'more than one queue',
      hint: 'name one queue, or list the queues’ interrupts with --irq',
    });
  }
  return {
    interface: argument ?? named,
    irqs: optional('irq', parseNumberList),
    queue: queue?.[0],
    cpus: optional('cpu', parseNumberList),
    count: optional('count', parseCount),
    durationNs: optional('duration', duration),
    until: text('until') as StageName,
    clock: text('clock') as ClockName,
    format: text('format') as FormatName,
    interrupts: raw['interrupts'] === true,
    ringBytes: text('buffer') === undefined ? undefined : ringBytes(text('buffer') as string),
  };
}
