/** The command line of `compare`, read and checked. */
import { RxError } from '../../base/errors.js';
import { nearestFirst } from '../../base/nearest.js';
import { parseCount, parseDuration } from '../../base/units.js';
import { METHOD_NAMES, type MethodName } from '../../method/names.js';

/** What `compare` was asked for. */
export interface CompareOptions {
  readonly interface: string | undefined;
  readonly irq: string | undefined;
  readonly queue: string | undefined;
  readonly methods: readonly MethodName[];
  readonly count: number;
  readonly durationNs: number;
  readonly rounds: number;
  readonly sliceNs: number;
  readonly load: boolean;
  readonly company: boolean;
  readonly json: boolean;
}

type Raw = Readonly<Record<string, string | boolean | undefined>>;

const isMethod = (name: string): name is MethodName => (METHOD_NAMES as readonly string[]).includes(name);

function methodsOf(text: string | undefined): readonly MethodName[] {
  if (text === undefined) return METHOD_NAMES;
  return text.split(',').map((word) => {
    const name = word.trim();
    if (isMethod(name)) return name;
    throw new RxError('RXS_USAGE', {
      doing: 'reading --methods',
      subject: JSON.stringify(name),
      why: 'no such method',
      hint: `pick from ${nearestFirst(name, METHOD_NAMES).join(', ')}`,
    });
  });
}

/** Reads the options. @throws RxError RXS_USAGE */
export function readCompareOptions(name: string | undefined, raw: Raw): CompareOptions {
  const text = (key: string): string | undefined => raw[key] as string | undefined;
  const rounds = text('rounds') ?? '5';
  if (raw['load'] === true && (name ?? text('irq') ?? text('queue')) !== undefined) {
    throw new RxError('RXS_USAGE', {
      doing: 'reading --load',
      subject: name ?? '--irq or --queue',
      why: 'the traffic is made on an interface of its own',
      hint: 'leave the interface out, or leave --load out and let the traffic come in',
    });
  }
  return {
    interface: name,
    irq: text('irq'),
    queue: text('queue'),
    methods: methodsOf(text('methods')),
    count: parseCount(text('count') ?? '2000', '--count'),
    durationNs: parseDuration(text('duration') ?? '20s', '--duration'),
    rounds: rounds === '0' ? 0 : parseCount(rounds, '--rounds'),
    sliceNs: parseDuration(text('slice') ?? '1s', '--slice'),
    load: raw['load'] === true,
    company: raw['company'] !== false,
    json: raw['json'] === true,
  };
}
