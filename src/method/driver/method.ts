/**
 * The question's first approach without a patch: the stamp is taken in the driver's own interrupt function
 * (igb_msix_ring, vring_interrupt, vmxnet3_msix_rx …), which is found from the interrupt's action. Its first argument is
 * the interrupt's number, so nothing has to be guessed from a vector. By fentry where BTF has the function, else by kprobe.
 */
import type { Method } from '../method.js';
import { tried } from '../possible.js';
import { DriverSource, chooseHooks, findHandlers } from './source.js';

/** A hook where a patch of the driver would be. */
export const driver: Method = {
  name: 'driver',
  sentence: "an eBPF program on the driver's own interrupt function, where a patch of the driver would print",
  tells: 'interrupts',
  last: 'isr',
  filters: {
    irq: "the function's first argument, in a table of wanted IRQs",
    cpu: 'a switch per CPU',
  },
  needs: {
    privileges: 'CAP_BPF and CAP_PERFMON',
    kernel: 'CONFIG_DEBUG_INFO_BTF_MODULES for fentry, else CONFIG_KPROBE_EVENTS',
    since: '5.11; 5.10 by kprobe',
  },
  loss: 'ring full, recursion and hits that the kernel skipped are counted; by kprobe (5.10) skipped hits are silent',
  possible: ({ irqs }) => tried(() => void chooseHooks(findHandlers(irqs))),
  start: (request) => Promise.resolve(DriverSource.start(request)),
};
