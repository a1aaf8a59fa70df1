/** /sys/kernel/debug/irq/irqs/N: vector and flow handler where CONFIG_GENERIC_IRQ_DEBUGFS and debugfs are there. */
import { type Answer, known, unknown } from '../base/answer.js';
import { HOST, type KernelFiles } from './files.js';

/** What debugfs says about an interrupt. */
export interface DebugIrq {
  readonly vector: number | undefined;
  readonly cpu: number | undefined;
  readonly flow: string | undefined;
}

/** Reads one interrupt. The format is kernel/irq/debugfs.c and x86_vector_debug_show (arch/x86/kernel/apic/vector.c). */
export function debugIrq(irq: number, files: KernelFiles = HOST): Answer<DebugIrq> {
  const text = files.ask(`/sys/kernel/debug/irq/irqs/${irq}`);
  if (!text.known) return unknown(text.why);
  const number = (label: string): number | undefined => {
    const match = new RegExp(`^\\s*${label}:\\s*(\\d+)\\s*$`, 'm').exec(text.value);
    return match === null ? undefined : Number(match[1]);
  };
  return known({
    vector: number('Vector'),
    cpu: number('Target'),
    flow: /^handler:\s*(\S+)/m.exec(text.value)?.[1],
  });
}
