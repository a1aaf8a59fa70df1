/** What can raise each receive interrupt of an interface, and how long the NIC may hold it back. */
import { driverHabits } from './driver-habits.js';
import type { Moderation } from './moderation.js';
import type { Nic, NicIrq } from './nic.js';

/** One interrupt of an interface: the shape that src/packet asks for. */
export interface NicIrqFacts {
  readonly irq: number;
  /** Nothing but received packets of one queue raises it. */
  readonly receiveOnly: boolean;
  readonly selfRaised: boolean;
  readonly sharedLine: boolean;
  /** Longest time that the NIC holds it back, ns; undefined: nobody tells. */
  readonly moderationNs: number | undefined;
  readonly queue: number | undefined;
}

/** Whether each receive queue has a vector of its own: where there are fewer, one serves several. */
function aloneOnVector(nic: Nic, irq: NicIrq): boolean {
  if (nic.rxQueues <= 1) return true;
  const receiving = nic.irqs.filter(({ role }) => role === 'rx' || role === 'rxtx');
  const same = receiving.filter(({ queue }) => queue === irq.queue);
  return irq.queue !== undefined && same.length === 1 && receiving.length >= nic.rxQueues;
}

/** Facts of all interrupts of `nic`. */
export function irqFacts(nic: Nic, moderation: Moderation | undefined): NicIrqFacts[] {
  const { selfRaised } = driverHabits(nic.driver);
  const usecs = moderation?.maxUsecs;
  return nic.irqs.map((irq) => ({
    irq: irq.irq,
    receiveOnly: irq.role === 'rx' && aloneOnVector(nic, irq),
    selfRaised,
    sharedLine: irq.actions.length > 1,
    moderationNs: usecs === undefined ? undefined : usecs * 1000,
    queue: irq.queue,
  }));
}
