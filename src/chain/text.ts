/** `rxstamp stack` as text. */
import { tableLines } from '../base/table.js';
import type { After, ChainFunction, StackDocument } from './document.js';
import type { Answered } from './hookable.js';

const micro = (ns: number): string => `+${(ns / 1000).toFixed(3)}`;
const afterText = (after: After | null): string => (after === null ? '-' : micro(after.medianNs));

const COLUMNS = [
  { title: 'function' },
  { title: 'in' },
  { title: 'fentry' },
  { title: 'kprobe' },
  { title: 'µs after', right: true },
  { title: 'tracepoint' },
] as const;

/** Reasons by letter: most functions that cannot be hooked share theirs. */
class Reasons {
  private readonly texts: string[] = [];

  mark({ possible, reason }: Answered): string {
    if (possible || reason === null) return 'yes';
    if (!this.texts.includes(reason)) this.texts.push(reason);
    return `no ${this.letter(this.texts.indexOf(reason))}`;
  }

  lines(): string[] {
    return this.texts.map((text, i) => `${this.letter(i)}: ${text}`);
  }

  private letter(index: number): string {
    return `[${String.fromCodePoint(97 + index)}]`;
  }
}

function row(one: ChainFunction, lead: string, reasons: Reasons): string[] {
  const place = one.offset === null ? one.function : `${one.function}+0x${one.offset.toString(16)}`;
  return [
    `${lead}${place}`,
    one.origin,
    reasons.mark(one.fentry),
    reasons.mark(one.kprobe),
    afterText(one.after),
    one.tracepoint ?? '',
  ];
}

/** Lines for stdout. */
export function stackText(document: StackDocument): string[] {
  const { frames, hardInterrupt, before, measured, missing, interrupted } = document;
  const vector = document.vector === null ? '' : `, vector 0x${document.vector.toString(16)}`;
  const reasons = new Reasons();
  const rows = [
    ...frames.map((one, i) => row(one, i === 0 ? '' : '← ', reasons)),
    ...hardInterrupt.map((one, i) => row(one, i === 0 ? 'hard interrupt: ' : '← ', reasons)),
    ...before.map((one) => row(one, '(before) ', reasons)),
  ];
  const files = [
    ...new Set(frames.flatMap(({ origin, file }) => (file === null ? [] : [`${origin}: ${file}`]))),
  ];
  return [
    `IRQ ${document.irq} (${document.actions.join(', ')}) of ${document.interface ?? '?'} on CPU ${document.cpu}${vector}, Linux ${document.kernel}; stack by ${document.by}`,
    ...tableLines(COLUMNS, rows),
    ...reasons.lines(),
    ...(before.length > 0
      ? ['(before): called by the CPU’s entry and back again before the handler: on no stack']
      : []),
    ...(measured === null
      ? []
      : [
          `µs after ${measured.earliest}, the earliest hook; medians of ${measured.interrupts} interrupts of IRQ ${measured.irqs.join(', ')}, with all these hooks on` +
            (measured.hookNs === null ? '' : `; two on one function are ${measured.hookNs} ns apart`),
          ...(measured.tracepoint === null
            ? []
            : [`tracepoint irq:irq_handler_entry: ${micro(measured.tracepoint.medianNs)} µs`]),
        ]),
    ...(interrupted.length > 0 ? [`it interrupted: ${interrupted.join(' ← ')}`] : []),
    ...missing.map(({ name, why }) => `not there: ${name}: ${why}`),
    ...files,
  ];
}
