/** The words of `--inject`: `udp,flows=8,count=1000,gap=1ms`. Pure. */
import { RxError } from '../src/base/errors.js';
import { SINK_PORT, arpFrame, echoFrame, udpFlows } from './frames.js';

const KINDS = ['udp', 'udp6', 'icmp', 'icmp6', 'arp'] as const;

/** Kind of frames. */
export type InjectKind = (typeof KINDS)[number];

/**
 * When the first frame goes: seconds after the command's start, or once the command has printed `text` on stdout or
 * stderr. The empty text is any first line: a tracer prints one when it listens.
 */
export type InjectStart = { readonly seconds: number } | { readonly text: string };

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
  readonly start: InjectStart;
}

const UNITS: Readonly<Record<string, number>> = { us: 1, µs: 1, ms: 1000, s: 1_000_000 };
/** Room for the sequence number. */
const SMALLEST_PAYLOAD = 14;
const LIMITS = [
  { name: 'count', least: 1, most: 5_000_000 },
  { name: 'flows', least: 1, most: 60_000 },
  { name: 'port', least: 1, most: 65_535 },
  { name: 'size', least: SMALLEST_PAYLOAD, most: 1472 },
  { name: 'burst', least: 1, most: 10_000 },
] as const;

function refuse(text: string, why: string): RxError {
  return new RxError('RXS_USAGE', {
    doing: 'reading --inject',
    subject: `"${text}"`,
    why,
    hint: 'write it as udp,flows=8,count=1000,gap=1ms (also: burst=8, port=9999, size=64, start=2s or start=~text)',
  });
}

/** Microseconds of `250us`, `1ms`, `2s`; undefined for anything else. */
export function microseconds(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(us|µs|ms|s)$/.exec(text);
  return match === null ? undefined : Number(match[1]) * (UNITS[match[2] ?? ''] ?? 0);
}

/** Parses the words. Throws RXS_USAGE. */
export function parseInject(text: string): InjectSpec {
  const [word, ...options] = text.split(',');
  const kind = KINDS.find((name) => name === word);
  if (kind === undefined) throw refuse(text, `kinds are ${KINDS.join(', ')}`);
  const spec = { kind, count: 100, flows: 1, port: SINK_PORT, size: SMALLEST_PAYLOAD, burst: 1 };
  let gapUs = 1000;
  let start: InjectStart = { text: '' };
  for (const option of options) {
    const [name, value = ''] = option.split('=', 2);
    const time = microseconds(value);
    const limit = LIMITS.find((one) => one.name === name);
    if (name === 'gap' && time !== undefined) gapUs = time;
    else if (name === 'start' && value === 'output') start = { text: '' };
    else if (name === 'start' && time !== undefined) start = { seconds: time / 1e6 };
    else if (name === 'start' && value.startsWith('~')) start = { text: value.slice(1) };
    else if (limit !== undefined && /^\d+$/.test(value)) {
      const number = Number(value);
      if (number < limit.least || number > limit.most) {
        throw refuse(text, `${limit.name} is ${limit.least} to ${limit.most}`);
      }
      spec[limit.name] = number;
    } else throw refuse(text, `"${option}" is no option`);
  }
  return { ...spec, gapUs, start };
}

const udpOf = (spec: InjectSpec, version: 4 | 6): Buffer[] => udpFlows({ ...spec, version });
const repeat = (spec: InjectSpec, make: (index: number) => Buffer): Buffer[] =>
  Array.from({ length: spec.count }, (_, index) => make(index));

const MAKERS: Readonly<Record<InjectKind, (spec: InjectSpec) => Buffer[]>> = {
  udp: (spec) => udpOf(spec, 4),
  udp6: (spec) => udpOf(spec, 6),
  icmp: (spec) => repeat(spec, (index) => echoFrame(index, 4)),
  icmp6: (spec) => repeat(spec, (index) => echoFrame(index, 6)),
  arp: (spec) => repeat(spec, arpFrame),
};

/** The frames of a wish, in order. */
export function framesOf(spec: InjectSpec): Buffer[] {
  return MAKERS[spec.kind](spec);
}
