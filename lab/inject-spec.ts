/** The words of `--inject`: `udp,flows=8,count=1000,gap=1ms`. Pure. */
import { RxError } from '../src/base/errors.js';
import { SINK_PORT, arpFrame, echoFrame, udpFlows } from './frames.js';

const KINDS = ['udp', 'udp6', 'icmp', 'icmp6', 'arp'] as const;

/** Kind of frames. */
export type InjectKind = (typeof KINDS)[number];

/** What to send, and when. */
export interface InjectSpec {
  readonly kind: InjectKind;
  readonly count: number;
  /** Source ports that take turns. */
  readonly flows: number;
  readonly port: number;
  /** UDP payload, bytes. */
  readonly size: number;
  /** Time between bursts, microseconds. */
  readonly gapUs: number;
  /** Frames per burst. */
  readonly burst: number;
  /** Seconds after the command's start; `output`: with the command's first output, when a tracer is listening. */
  readonly start: number | 'output';
}

const UNITS: Readonly<Record<string, number>> = { us: 1, µs: 1, ms: 1000, s: 1_000_000 };
const MOST = { count: 5_000_000, flows: 60_000, port: 65_535, size: 1472, burst: 10_000 };
const SMALLEST_PAYLOAD = 14;

function refuse(text: string, why: string): RxError {
  return new RxError('RXS_USAGE', {
    doing: 'reading --inject',
    subject: `"${text}"`,
    why,
    hint: 'write it as udp,flows=8,count=1000,gap=1ms (also: burst=8, port=9999, size=64, start=2s)',
  });
}

/** Microseconds of `250us`, `1ms`, `2s`; undefined for anything else. */
export function microseconds(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(us|µs|ms|s)$/.exec(text);
  return match === null ? undefined : Number(match[1]) * (UNITS[match[2] ?? ''] ?? 0);
}

/** Parses the words. Throws RXS_USAGE. */
export function parseInject(text: string): InjectSpec {
  const [kind = '', ...options] = text.split(',');
  if (!(KINDS as readonly string[]).includes(kind)) throw refuse(text, `kinds are ${KINDS.join(', ')}`);
  const numbers = { count: 100, flows: 1, port: SINK_PORT, size: SMALLEST_PAYLOAD, burst: 1 };
  let gapUs = 1000;
  let start: number | 'output' = 'output';
  for (const option of options) {
    const [name = '', value = ''] = option.split('=', 2);
    const time = microseconds(value);
    if (name === 'gap' && time !== undefined) gapUs = time;
    else if (name === 'start' && value === 'output') start = value;
    else if (name === 'start' && time !== undefined) start = time / 1e6;
    else if (name in numbers && /^\d+$/.test(value)) numbers[name as keyof typeof numbers] = Number(value);
    else throw refuse(text, `"${option}" is no option`);
  }
  for (const [name, most] of Object.entries(MOST)) {
    const value = numbers[name as keyof typeof numbers];
    const least = name === 'size' ? SMALLEST_PAYLOAD : 1;
    if (value < least || value > most) throw refuse(text, `${name} is ${least} to ${most}`);
  }
  return { kind: kind as InjectKind, ...numbers, gapUs, start };
}

/** The frames of a wish, in order. */
export function framesOf(spec: InjectSpec): Buffer[] {
  const { kind, count } = spec;
  switch (kind) {
    case 'udp':
    case 'udp6':
      return udpFlows({ ...spec, version: kind === 'udp' ? 4 : 6 });
    case 'icmp':
    case 'icmp6':
      return Array.from({ length: count }, (_, index) => echoFrame(index, kind === 'icmp' ? 4 : 6));
    case 'arp':
      return Array.from({ length: count }, arpFrame);
  }
}
