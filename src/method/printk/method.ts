/**
 * printk as a method: the question's way, without a kernel of one's own. examples/printk-module prints a line at the
 * entry of the interrupts that it was loaded for; here they are read from the log. Loading it is the user's step: it is code
 * in the kernel.
 */
import { KernelLog } from '../../sys/kernel-log.js';
import { localClockOffset } from '../../sys/local-clock.js';
import { printkModule } from '../../sys/printk-module.js';
import type { Method, MethodRequest } from '../method.js';
import { tried } from '../possible.js';
import { PrintkSource } from './source.js';

/** Why it does not work here; undefined: it does. */
function obstacle({ irqs }: MethodRequest): string | undefined {
  const wanted = irqs.map(({ irq }) => irq);
  const module = printkModule();
  if (module === undefined)
    return `nothing prints lines: module irq_printk is not loaded (examples/printk-module: make, then insmod irq_printk.ko irq=${wanted.join(',')} detail=1)`;
  const without = wanted.filter((irq) => !module.irqs.includes(irq));
  if (without.length > 0)
    return `irq_printk prints the lines of IRQ ${module.irqs.join(', ')}, not of ${without.join(', ')}: load it with irq=${[...module.irqs, ...without].join(',')}`;
  if (!module.detail && localClockOffset() === undefined)
    return 'printk’s clock cannot be converted (neither /sys/kernel/debug/sched/debug nor /proc/sched_debug can be read): load irq_printk with detail=1, or mount debugfs';
  new KernelLog().close();
  return undefined;
}

/** printk. */
export const printk: Method = {
  name: 'printk',
  sentence: 'a line that a kernel module prints at interrupt entry, read from the kernel’s log',
  tells: 'interrupts',
  last: 'entry',
  filters: { irq: 'the module’s parameter irq=, set when it is loaded' },
  needs: {
    privileges: 'root to load the module (signed, under Secure Boot) and to read /dev/kmsg',
    kernel: 'CONFIG_MODULES, CONFIG_KPROBES, the kernel’s headers to build it (examples/printk-module)',
    since: '5.10',
  },
  loss: 'gaps in the numbers of the log’s records, and the module’s own counts of lines beyond its limit and of probes that the kernel left out',
  possible: (request) => tried(() => obstacle(request)),
  start: (request) => Promise.resolve(new PrintkSource(request)),
};
