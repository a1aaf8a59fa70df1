/** Empty rows: what is not said about a packet or a poll is not stamped, not known, zero. */
import { CONTEXT, type PacketColumns, type PollColumns } from '../../record/lane.js';

/** Clears a packet's row for a method that knows little of it. @param poll one of PacketColumns' markers */
export function clearPacket(columns: PacketColumns, row: number, poll: number): void {
  columns.resetLater(row);
  columns.times[0]![row] = Number.NaN;
  columns.poll[row] = poll;
  columns.indexInPoll[row] = 0;
  columns.skb[row] = 0;
  columns.length[row] = 0;
  columns.hash[row] = 0;
  columns.protocol[row] = 0;
  columns.vlan[row] = 0;
  columns.queue[row] = 0;
  columns.capturedLength[row] = 0;
  columns.flags[row] = 0;
  columns.hardware[row] = Number.NaN;
  columns.hardwareError[row] = Number.NaN;
}

/** Clears a poll's row. */
export function clearPoll(columns: PollColumns, row: number): void {
  for (const times of columns.times) times[row] = Number.NaN;
  columns.end[row] = Number.NaN;
  columns.previousEnd[row] = Number.NaN;
  columns.irq[row] = 0;
  columns.vector[row] = 0;
  columns.irqCpu[row] = 0;
  columns.again[row] = 0;
  columns.packets[row] = 0;
  columns.work[row] = 0;
  columns.budget[row] = 0;
  columns.previousWork[row] = 0;
  columns.napiId[row] = 0;
  columns.pid[row] = 0;
  columns.flags[row] = 0;
  columns.empty[row] = Number.NaN;
  columns.context[row] = CONTEXT.softirq;
}
