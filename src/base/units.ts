/** Numbers with units, as people type them. */
import { RxError } from './errors.js';

const SIZE_UNITS: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  k: 1024,
  kb: 1000,
  kib: 1024,
  m: 1024 ** 2,
  mb: 1000 ** 2,
  mib: 1024 ** 2,
  g: 1024 ** 3,
  gb: 1000 ** 3,
  gib: 1024 ** 3,
};
const TIME_UNITS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  min: 60e9,
  h: 3600e9,
};

/** Whole bytes or nanoseconds. */
function parse(
  text: string,
  units: Readonly<Record<string, number>>,
  option: string,
  example: string,
): number {
  const match = /^([0-9]+(?:\.[0-9]+)?)\s*([a-zµμ]*)$/i.exec(text.trim());
  const word = (match?.[2] ?? '').toLowerCase();
  // hasOwn: "5constructor" is no unit either.
  const unit = match !== null && Object.hasOwn(units, word) ? (units[word] ?? Number.NaN) : Number.NaN;
  const value = Math.round(Number(match?.[1]) * unit);
  if (Number.isSafeInteger(value)) return value;
  throw new RxError('RXS_USAGE', {
    doing: `reading ${option}`,
    subject: JSON.stringify(text),
    why: Number.isNaN(value) ? 'not a number with a unit' : 'too large',
    hint: `write it like ${example}`,
  });
}

/** Bytes: `64KiB`, `4M`. @throws RxError RXS_USAGE */
export function parseSize(text: string, option: string): number {
  return parse(text, SIZE_UNITS, option, '64KiB or 4MiB');
}

/** Nanoseconds: `50us`, `1.5s`; a unit is required. @throws RxError RXS_USAGE */
export function parseDuration(text: string, option: string): number {
  return parse(text, TIME_UNITS, option, '500ms, 10s or 5m');
}

/** Whole numbers, separated by commas, with ranges: `0,2-4`. @throws RxError RXS_USAGE */
export function parseNumberList(text: string, option: string): number[] {
  const out: number[] = [];
  for (const part of text.split(',')) {
    const match = /^(\d+)(?:-(\d+))?$/.exec(part.trim());
    const from = Number(match?.[1]);
    const to = Number(match?.[2] ?? match?.[1]);
    if (match === null || to < from || to - from > 65_536) {
      throw new RxError('RXS_USAGE', {
        doing: `reading ${option}`,
        subject: JSON.stringify(text),
        why: 'not a list of whole numbers',
        hint: 'write it like 25 or 25,26 or 0-3',
      });
    }
    for (let value = from; value <= to; value++) out.push(value);
  }
  return [...new Set(out)];
}

/** A whole number of at least 1. @throws RxError RXS_USAGE */
export function parseCount(text: string, option: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value >= 1) return value;
  throw new RxError('RXS_USAGE', {
    doing: `reading ${option}`,
    subject: JSON.stringify(text),
    why: 'not a whole number of at least 1',
    hint: 'write it like 100',
  });
}
