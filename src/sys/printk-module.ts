/** The state of examples/printk-module, as /sys/module tells it. */
import { HOST, type KernelFiles } from './files.js';

const FOLDER = '/sys/module/irq_printk/parameters';

/** What the loaded module says of itself. */
export interface PrintkModule {
  /** Lines that it prints. */
  readonly irqs: readonly number[];
  /** Its lines carry CPU and time. */
  readonly detail: boolean;
  /** `__common_interrupt` or `flow handler`: where it reads the clock. */
  readonly place: string;
  /** Interrupts that it did not print because there were too many, since it was loaded. */
  readonly skipped: number;
  /** Probe hits that the kernel left out, of any line. */
  readonly missed: number;
}

/** Undefined when it is not loaded. */
export function printkModule(files: KernelFiles = HOST): PrintkModule | undefined {
  const text = (name: string): string | undefined => files.text(`${FOLDER}/${name}`);
  const irqs = text('irq');
  if (irqs === undefined) return undefined;
  return {
    irqs: irqs.split(',').map(Number),
    detail: text('detail') === 'Y',
    place: text('place') ?? '',
    skipped: Number(text('skipped') ?? 0),
    missed: Number(text('missed') ?? 0),
  };
}
