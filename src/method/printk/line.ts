/** The line that a printk at interrupt entry leaves in the kernel's log, as examples/printk-module writes it. Pure. */

/** What a line says. */
export interface InterruptLine {
  readonly irq: number;
  /** 0: the line does not know it. */
  readonly vector: number;
  /** -1 where the line does not tell. */
  readonly cpu: number;
  /** Time of entry, CLOCK_MONOTONIC in ns; undefined where the line does not tell. */
  readonly time: bigint | undefined;
}

/** What all these lines have in them. */
export const INTERRUPT_WORDS = 'IRQ Number=';

const LINE =
  /IRQ Number=(\d{1,9}); Vector=(0x[0-9a-fA-F]{1,4}|\d{1,5})(?:; CPU=(\d{1,4}); Time=(\d{1,19}))?\s*$/;

/** Reads a line, whatever stands before it; undefined: not one of these, or damaged. */
export function parseInterruptLine(text: string): InterruptLine | undefined {
  const match = LINE.exec(text);
  if (match === null) return undefined;
  const [, irq, vector, cpu, time] = match;
  return {
    irq: Number(irq),
    vector: Number(vector),
    cpu: cpu === undefined ? -1 : Number(cpu),
    time: time === undefined ? undefined : BigInt(time),
  };
}
