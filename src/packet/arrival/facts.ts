/** What must be known about a machine's interrupts before a stamp may be called certain. Pure data; docs/arrival.md says why. */

/** What can raise an interrupt, and how late it may come. */
export interface IrqFacts {
  /** Nothing but received packets of one queue raises it: no transmit completion, no link change, no second queue. */
  readonly receiveOnly: boolean;
  /** The driver may raise it by itself, with nothing received: a watchdog that makes sure the ring is cleaned. */
  readonly selfRaised: boolean;
  /** Another device's handler is on the same line. */
  readonly sharedLine: boolean;
  /** Longest time that the NIC holds the interrupt back, adaptive moderation's maximum, ns; undefined: nobody tells. */
  readonly moderationNs: number | undefined;
  /** Receive queue that it serves; undefined where neither name nor kernel tells. */
  readonly queue: number | undefined;
}

/** The same for a trace. */
export interface ArrivalFacts {
  /** By IRQ number. */
  readonly irqs: ReadonlyMap<number, IrqFacts>;
  /** The hook on NAPI scheduling ties an interrupt to its NAPI instance; else it is inferred from CPU, interface and queue. */
  readonly tied: boolean;
  /** How many lines bring packets. */
  readonly lines: number;
  /** Polls' starts are seen, so that an interrupt lies before one or behind it. */
  readonly starts: boolean;
  /** Longest time an idle CPU takes to wake for an interrupt, ns. */
  readonly wakeNs: number;
}

/** Nothing known: no own interrupt is certain. */
export const NO_FACTS: ArrivalFacts = { irqs: new Map(), lines: 0, tied: false, starts: false, wakeNs: 0 };

/**
 * How late an interrupt may come that a NIC has sent, beyond moderation and waking: interrupts disabled on its CPU, the
 * write that re-enables it on its way to the NIC, handlers before it. The assumption behind every certain own-irq;
 * disabled interrupts longer than this are a defect that the kernel's irqsoff tracer looks for.
 */
export const SLACK_NS = 250_000;
