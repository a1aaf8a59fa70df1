/** Counts over the packets of a trace: what the closing lines say. */
import { HOW, HOW_NAMES, type How, type PacketCursor } from '../packet/arrival.js';
import { FIRST_PACKET_STAGE, FIRST_POLL_STAGE, POLL } from '../record/lane.js';
import { type LossLedger, PACKET_LOSS } from '../record/loss.js';
import { STAGES } from '../stages.js';

/**
 * True when a stage was stamped earlier than one before it. The NIC's stamp only has to lie before the packet's own: a
 * packet that its poll found behind the first one reached the NIC after the interrupt.
 */
function outOfOrder(cursor: PacketCursor): boolean {
  const { hardware, hardwareError } = cursor.lane.packets;
  const earliest = (hardware[cursor.row] as number) - (hardwareError[cursor.row] as number);
  if (earliest > cursor.stage(FIRST_PACKET_STAGE)) return true;
  let last = Number.NEGATIVE_INFINITY;
  for (let stage = cursor.poll < 0 ? FIRST_PACKET_STAGE : FIRST_POLL_STAGE; stage < STAGES.length; stage++) {
    const time = cursor.stage(stage);
    if (time < last) return true;
    if (!Number.isNaN(time)) last = time;
  }
  return false;
}

/** Packets by how they arrived. */
export class Summary {
  readonly byHow: number[] = HOW_NAMES.map(() => 0);
  packets = 0;
  interrupts = 0;
  bytes = 0;
  /** Records read from the kernel: what the filters let through costs one each, what they stopped costs none. */
  records = 0;
  /** Packets with a stamp that lies before the stage below it: never expected, always told. */
  outOfOrder = 0;
  /** Packets whose interrupt is a guess between several pending ones. */
  ambiguous = 0;

  count(cursor: PacketCursor): void {
    this.packets++;
    this.byHow[cursor.how] = (this.byHow[cursor.how] as number) + 1;
    this.bytes += cursor.lane.packets.length[cursor.row] as number;
    if (cursor.poll >= 0 && ((cursor.lane.polls.flags[cursor.poll] as number) & POLL.AMBIGUOUS) !== 0)
      this.ambiguous++;
    if (outOfOrder(cursor)) this.outOfOrder++;
  }

  /** `3 packets stamped · 1 by its own interrupt, 2 in its batch, 0 polled · 0 lost`. */
  text(ledger: LossLedger): string {
    const by = (how: How): number => this.byHow[how] as number;
    const own = by(HOW.ownIrq);
    const how = [
      `${own} by ${own === 1 ? 'its' : 'their'} own interrupt`,
      `${by(HOW.batch)} in a batch`,
      `${by(HOW.repoll) + by(HOW.polled) + by(HOW.busyPoll)} polled`,
    ];
    if (by(HOW.noIrq) > 0) how.push(`${by(HOW.noIrq)} without an interrupt`);
    if (by(HOW.unknown) > 0) how.push(`${by(HOW.unknown)} unmatched`);
    const lost = ledger.total();
    const some = (count: number, word: string): string => `${count} ${word}${count === 1 ? '' : 's'}`;
    const parts: string[] = [];
    if (this.packets > 0) parts.push(`${some(this.packets, 'packet')} stamped`, how.join(', '));
    if (this.interrupts > 0) parts.push(some(this.interrupts, 'interrupt'));
    if (parts.length === 0) parts.push('0 packets stamped');
    if (this.ambiguous > 0) parts.push(`${this.ambiguous} whose interrupt is one of several`);
    if (this.outOfOrder > 0) parts.push(`${this.outOfOrder} with stamps out of order`);
    parts.push(`${lost} lost`);
    return parts.join(' · ');
  }

  /** One line per cause and CPU; empty without loss. */
  lossLines(ledger: LossLedger): string[] {
    return ledger.list().map(({ cause, cpu, count }) => {
      const what = PACKET_LOSS.includes(cause) ? 'packets' : 'events';
      return `lost ${count} ${what}: ${cause}${cpu < 0 ? '' : ` on CPU ${cpu}`}`;
    });
  }

  /** The same as data, for NDJSON. */
  json(ledger: LossLedger): Record<string, unknown> {
    return {
      packets: this.packets,
      how: Object.fromEntries(HOW_NAMES.map((name, index) => [name, this.byHow[index]])),
      interrupts: this.interrupts,
      bytes: this.bytes,
      records: this.records,
      ambiguous: this.ambiguous,
      outOfOrder: this.outOfOrder,
      lost: ledger.total(),
      packetsLost: ledger.total(PACKET_LOSS),
      losses: ledger.list().map(({ cause, cpu, count }) => ({ cause, cpu: cpu < 0 ? null : cpu, count })),
    };
  }
}
