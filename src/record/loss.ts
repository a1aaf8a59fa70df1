/** The ledger of what was lost: by cause and CPU, with the time span in which it was noticed. */

/** Causes of loss, and what is missing then. */
export const LOSS_CAUSES = {
  ring_full: 'the reader was too slow: the packet is missing from the output',
  stage_ring_full: 'the reader was too slow: a later stage of a packet is missing',
  stage_recursion:
    'a hook ran inside another one on the same CPU: a later stage of a packet, or the poll of some, is missing from the output',
  stage_unmatched: 'a later stage names a packet that was never read: it is missing from that packet',
  untracked: 'too many packets or sockets were on their way: a packet was not followed to its end',
  irq_ring_full: 'the reader was too slow: an interrupt, or the poll of some packets, is missing',
  recursion: 'a hook ran inside another one on the same CPU: the packet is missing from the output',
  missed_packet: 'the kernel skipped the program that stamps packets: the packet is missing from the output',
  missed: 'the kernel skipped a program that was running on that CPU already (recursion_misses)',
  hw_stamp_form: "the driver keeps the NIC's stamp in a form of its own: the packet is there without it",
  hw_stamp_clock: "the NIC's clock was set, or its stamp is not of this time: the packet is there without it",
  map_full:
    'more NAPI instances or pending interrupts than slots: an interrupt could not be tied to its poll',
  events_lost:
    'the buffer of the tracing facility was full: some of its events are missing, and what they told',
  probe_missed:
    'the kernel skipped a probe: it was inside of one already, a program of another one was running on that CPU, or it had no room',
  not_understood: 'events or lines that could not be read',
} as const;

/** Why something was lost. */
export type LossCause = keyof typeof LOSS_CAUSES;

/** Causes that take whole packets out of the output: seen + these = sent. */
export const PACKET_LOSS: readonly LossCause[] = ['ring_full', 'recursion', 'missed_packet'];

/** One entry: `count` events lost by `cause` on `cpu` between two drains. */
export interface Loss {
  readonly cause: LossCause;
  /** -1 where the kernel counts for all CPUs together. */
  readonly cpu: number;
  readonly count: number;
  /** Nanoseconds from the session's base: not before, not after. */
  readonly from: number;
  readonly to: number;
}

/** Adds up losses. */
export class LossLedger {
  private readonly entries = new Map<string, { cause: LossCause; cpu: number; count: number }>();

  add(loss: Loss): void {
    const key = `${loss.cause}/${loss.cpu}`;
    const entry = this.entries.get(key) ?? { cause: loss.cause, cpu: loss.cpu, count: 0 };
    entry.count += loss.count;
    this.entries.set(key, entry);
  }

  /** Events lost, of all causes or of some. */
  total(causes?: readonly LossCause[]): number {
    let sum = 0;
    for (const entry of this.entries.values()) {
      if (causes === undefined || causes.includes(entry.cause)) sum += entry.count;
    }
    return sum;
  }

  /** By cause, then CPU; only what is not zero. */
  list(): readonly { readonly cause: LossCause; readonly cpu: number; readonly count: number }[] {
    return [...this.entries.values()].sort((a, b) => a.cause.localeCompare(b.cause) || a.cpu - b.cpu);
  }
}
