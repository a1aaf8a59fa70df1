/**
 * Which interrupt led to which NAPI poll, where no hook ties them: by CPU, order and queue. The same inference as on
 * the eBPF method's restricted way (bpf/poll.bpf.h, take_from_pending), from a stream of events.
 */

/** An interrupt whose handler ran, before its poll was seen. Times relative to base, NaN: not stamped. */
export interface Cause {
  readonly irq: number;
  readonly vector: number;
  readonly cpu: number;
  readonly ifindex: number;
  /** Receive queue + 1, 0: not known. */
  readonly queue: number;
  entry: number;
  claim: number;
  isr: number;
  raise: number;
  /** The latest interrupt of the same line. */
  latest: number;
  /** Interrupts of the same line behind the first. */
  again: number;
}

/** A poll as far as it says whose interrupt it took. */
export interface Poll {
  readonly ifindex: number;
  /** Receive queue + 1 of its packets, 0: not known. */
  readonly queue: number;
  /** First packet; NaN: the poll found none. */
  readonly first: number;
  /** NET_RX softirq's start, NaN: not seen. */
  readonly softirq: number;
  /** First packet of the poll before of the same NAPI instance, NaN: none. */
  readonly previousBegin: number;
}

/** The interrupts of one CPU that wait for their polls, a line each. */
export class Pending {
  private readonly causes = new Map<number, Cause>();

  /** An interrupt's handler has run. */
  add(cause: Cause): void {
    const before = this.causes.get(cause.irq);
    if (before === undefined) {
      this.causes.set(cause.irq, cause);
      return;
    }
    before.latest = cause.isr;
    before.again++;
    if (Number.isNaN(before.raise)) before.raise = cause.raise;
  }

  /** Takes the interrupt that led to a poll. @returns it, and whether another one could have been */
  take(poll: Poll): { readonly cause: Cause; readonly ambiguous: boolean } | undefined {
    const begin = Number.isNaN(poll.first) ? poll.softirq : poll.first;
    const found: Cause[] = [];
    for (const cause of this.causes.values()) {
      if (cause.ifindex !== 0 && poll.ifindex !== 0 && cause.ifindex !== poll.ifindex) continue;
      if (cause.queue !== 0 && poll.queue !== 0 && cause.queue !== poll.queue) continue;
      // Before the last poll of this instance began: that one's.
      if (cause.latest < poll.previousBegin) {
        this.causes.delete(cause.irq);
        continue;
      }
      // Came while the poll was running: the next one's.
      if (cause.isr > begin) continue;
      if (cause.isr < poll.previousBegin) {
        cause.isr = cause.latest;
        cause.entry = cause.claim = cause.raise = Number.NaN;
        if (cause.isr > begin) continue;
      }
      found.push(cause);
    }
    const cause = found.sort((a, b) => a.isr - b.isr)[0];
    if (cause === undefined) return undefined;
    this.causes.delete(cause.irq);
    return { cause, ambiguous: found.length > 1 };
  }

  /** Events are missing: nothing that waits is sure to belong to what comes. */
  clear(): void {
    this.causes.clear();
  }
}
