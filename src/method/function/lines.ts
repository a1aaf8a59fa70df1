/** Which line a call of a handler belongs to, where that is certain. Pure. */

/** A line of the machine, with the functions that its handlers are. */
export interface HandledLine {
  readonly irq: number;
  readonly handlers: readonly string[];
  /** Its handler runs in a kernel thread, which the scheduler may put on another CPU. */
  readonly threaded: boolean;
  /** CPU that it goes to now; undefined: not known, or several. */
  readonly cpu: number | undefined;
}

/**
 * The line that a call of `handler` on `cpu` must have come by; -1 where it may have been another one. It is certain where
 * no other line of the machine has that handler, or none that goes to this CPU.
 */
export function certainLine(lines: readonly HandledLine[], handler: string, cpu: number): number {
  const served = lines.filter(({ handlers }) => handlers.includes(handler));
  const [only] = served;
  if (served.length === 1) return (only as HandledLine).irq;
  if (served.some((line) => line.cpu === undefined)) return -1;
  const here = served.filter((line) => line.cpu === cpu);
  return here.length === 1 ? (here[0] as HandledLine).irq : -1;
}

/** Where lines go, for comparing: a change makes what was certain uncertain. */
export function placesText(lines: readonly HandledLine[]): string {
  return lines.map(({ irq, cpu }) => `${irq}:${cpu ?? '?'}`).join(' ');
}

/** What must be known about lines before the records are believed; a sentence per handler. */
export function lineNotes(
  lines: readonly HandledLine[],
  handlers: readonly string[],
  wanted: readonly number[],
): string[] {
  return handlers.map((handler) => {
    const served = lines.filter((line) => line.handlers.includes(handler));
    const [only] = served;
    if (served.length === 1 && only !== undefined)
      return `${handler} handles IRQ ${only.irq} and no other: every call of it is that interrupt`;
    const numbers = served.map(({ irq }) => irq).join(', ');
    const told = served.filter(({ cpu }) => cpu !== undefined && certainLine(lines, handler, cpu) >= 0);
    const where = told.map(({ irq, cpu }) => `IRQ ${irq} on CPU ${cpu}`).join(', ');
    const certain =
      where === '' ? 'its calls do not tell which' : `certain, as long as affinities stay: ${where}`;
    const others = served.filter(({ irq }) => !wanted.includes(irq)).map(({ irq }) => irq);
    const more =
      others.length === 0 || told.length === served.length
        ? ''
        : `; calls for IRQ ${others.join(', ')}, which was not asked for, may be among those without a line`;
    return `${handler} handles IRQ ${numbers}; ${certain}${more}`;
  });
}
