/** The command line of `trace`, read and checked. */
import { RxError } from '../../base/errors.js';
import { parseCount, parseDuration, parseNumberList, parseSize } from '../../base/units.js';
import type { FormatName } from '../../report/format/index.js';
import type { SlowerThan } from '../../packet/selection.js';
import { DEFAULT_METHOD, type MethodName } from '../../method/names.js';
import { STAGE_NAMES, type StageName, isStage, stageIndex } from '../../stages.js';
import { interfaceNames } from '../../sys/interfaces.js';
import type { ClockName } from '../../sys/libc.js';
import { expressionOf, splitWords } from './expression.js';

/** What `trace` was asked for. */
export interface TraceOptions {
  readonly interface: string | undefined;
  /** pcap-filter expression. */
  readonly expression: string | undefined;
  /** Its first word could have been meant as the interface. */
  readonly guessed: boolean;
  readonly irqs: readonly number[] | undefined;
  readonly queue: number | undefined;
  readonly cpus: readonly number[] | undefined;
  readonly count: number | undefined;
  readonly durationNs: number | undefined;
  readonly until: StageName;
  /** Only packets that took longer on their way. */
  readonly slower: SlowerThan | undefined;
  /** Only packets that these processes read. */
  readonly pids: readonly number[] | undefined;
  /** How long a packet is held for its reader, ns. */
  readonly waitNs: number;
  readonly clock: ClockName;
  readonly format: FormatName;
  readonly interrupts: boolean;
  /** Way of listening. */
  readonly method: MethodName;
  /** Turn on the NIC's own stamps for the time of the trace. */
  readonly hwTimestamps: boolean;
  /** Per CPU; undefined: chosen by the number of CPUs. */
  readonly ringBytes: number | undefined;
}

/** Latest stage to stamp where nothing asks for a later one. */
export const DEFAULT_UNTIL: StageName = 'driver';
const DEFAULT_WAIT_NS = 1_000_000_000;
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

const SLOWER_FORM = `write it like 50us, or FROM..TO=50us with stages of ${STAGE_NAMES.join(', ')}`;

function stageOf(name: string, text: string): StageName {
  if (isStage(name)) return name;
  throw new RxError('RXS_USAGE', {
    doing: 'reading --slower-than',
    subject: JSON.stringify(text),
    why: `${JSON.stringify(name)} is no stage`,
    hint: SLOWER_FORM,
  });
}

function limitOf(limit: string, text: string): number {
  try {
    return parseDuration(limit, '--slower-than');
  } catch {
    throw new RxError('RXS_USAGE', {
      doing: 'reading --slower-than',
      subject: JSON.stringify(text),
      why: `${JSON.stringify(limit)} is no time with a unit`,
      hint: SLOWER_FORM,
    });
  }
}

/** `50us`: from the arrival to the last stamp; `isr..driver=50us`: between two stages. @throws RxError RXS_USAGE */
function slowerThan(text: string): SlowerThan {
  const [, pair, limit = ''] = /^(?:([^=]*)=)?([^=]*)$/.exec(text) ?? [];
  const ns = limitOf(limit, text);
  if (pair === undefined) return { from: undefined, to: undefined, ns };
  const names = pair.split('..').map((name) => stageOf(name.trim(), text));
  const [from, to] = names;
  if (from === undefined || to === undefined || names.length !== 2 || stageIndex(from) >= stageIndex(to)) {
    throw new RxError('RXS_USAGE', {
      doing: 'reading --slower-than',
      subject: JSON.stringify(text),
      why: names.length === 2 ? 'the second stage does not come after the first' : 'not a pair of stages',
      hint: SLOWER_FORM,
    });
  }
  return { from, to, ns };
}

/** The stage to stamp up to: as asked, or as far as the filters must see. @throws RxError RXS_USAGE */
function untilOf(asked: StageName | undefined, needs: readonly (readonly [string, StageName])[]): StageName {
  let until = asked ?? DEFAULT_UNTIL;
  for (const [option, stage] of needs) {
    if (stageIndex(stage) <= stageIndex(until)) continue;
    if (asked !== undefined) {
      throw new RxError('RXS_USAGE', {
        doing: `reading ${option} with --until`,
        subject: asked,
        why: `it needs stage ${stage}, which comes later`,
        hint: `leave --until out, or give --until ${stage}`,
      });
    }
    until = stage;
  }
  return until;
}

type Raw = Readonly<Record<string, string | boolean | undefined>>;

/** Reads the options; commander has checked the choices. @throws RxError RXS_USAGE */
export function readOptions(
  positional: readonly string[],
  raw: Raw,
  exists: (name: string) => boolean = (name) => interfaceNames().includes(name),
): TraceOptions {
  const text = (key: string): string | undefined => raw[key] as string | undefined;
  const optional = <T>(key: string, read: (value: string, option: string) => T): T | undefined => {
    const value = text(key.replace(/-[a-z]/g, ([, letter = '']) => letter.toUpperCase()));
    return value === undefined ? undefined : read(value, `--${key}`);
  };
  const words = splitWords(positional, text('interface'), exists);
  const queue = optional('queue', parseNumberList);
  if (queue !== undefined && queue.length !== 1) {
    throw new RxError('RXS_USAGE', {
      doing: 'reading --queue',
      subject: String(text('queue')),
      why: 'more than one queue',
      hint: 'name one queue, or list the queues’ interrupts with --irq',
    });
  }
  const slower = optional('slower-than', slowerThan);
  const pids = optional('pid', parseNumberList);
  const interrupts = raw['interrupts'] === true;
  const filter = pids !== undefined ? '--pid' : slower !== undefined ? '--slower-than' : undefined;
  if (interrupts && filter !== undefined) {
    throw new RxError('RXS_USAGE', {
      doing: 'reading',
      subject: `--interrupts and ${filter}`,
      why: `${filter} chooses packets, and --interrupts shows none`,
      hint: 'leave one of the two out',
    });
  }
  const hwTimestamps = raw['hwTimestamps'] === true;
  if (interrupts && hwTimestamps) {
    throw new RxError('RXS_USAGE', {
      doing: 'reading',
      subject: '--interrupts and --hw-timestamps',
      why: 'the NIC stamps packets, and --interrupts shows none',
      hint: 'leave one of the two out',
    });
  }
  const needs: [string, StageName][] = [];
  if (slower?.to !== undefined) needs.push(['--slower-than', slower.to]);
  if (pids !== undefined) needs.push(['--pid', 'read']);
  return {
    interface: words.interface,
    expression: expressionOf(words, text('filterFile'), interrupts),
    guessed: words.guessed,
    irqs: optional('irq', parseNumberList),
    queue: queue?.[0],
    cpus: optional('cpu', parseNumberList),
    count: optional('count', parseCount),
    durationNs: optional('duration', duration),
    until: untilOf(text('until') as StageName | undefined, needs),
    slower,
    pids,
    waitNs: optional('wait', duration) ?? DEFAULT_WAIT_NS,
    clock: text('clock') as ClockName,
    format: text('format') as FormatName,
    interrupts,
    method: (text('method') as MethodName | undefined) ?? DEFAULT_METHOD,
    hwTimestamps,
    ringBytes: text('buffer') === undefined ? undefined : ringBytes(text('buffer') as string),
  };
}
