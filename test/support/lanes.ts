/** Lanes made by hand, for tests of what reads them. */
import {
  CONTEXT,
  FIRST_PACKET_STAGE,
  HEADER_WORDS,
  type Lane,
  POLL,
  PacketColumns,
} from '../../src/record/lane.js';
import { type StageName, stageIndex } from '../../src/stages.js';

/** A packet to put into a lane; what is left out is 0 or not stamped. */
export interface PacketRow {
  readonly driver: number;
  readonly stack?: number;
  /** The NIC's stamp and its error; not stamped unless given. */
  readonly hardware?: number;
  readonly hardwareError?: number;
  /** CPU of the stack stage + 1; 0 unless given. */
  readonly stackCpu?: number;
  /** Times of further stages. */
  readonly times?: Partial<Record<StageName, number>>;
  readonly skb?: number;
  readonly length?: number;
  readonly queue?: number;
  /** Place in its poll; left out: by its row. */
  readonly index?: number;
  readonly protocol?: number;
  readonly vlan?: number;
  readonly bytes?: readonly number[];
  /** True: an interface without interrupts, there is no poll. */
  readonly none?: boolean;
}

/** A poll to close the last packets with. */
export interface PollRow {
  readonly times?: Partial<Record<StageName, number>>;
  readonly packets: number;
  readonly lost?: number;
  /** Packets that filters stopped. */
  readonly filtered?: number;
  readonly irq?: number;
  readonly vector?: number;
  readonly irqCpu?: number;
  readonly napiId?: number;
  readonly pid?: number;
  readonly end?: number;
  /** NaN: this NAPI was not seen before. */
  readonly previousEnd?: number;
  /** Work of the poll before and budget of this one; 0 and 64 unless given. */
  readonly previousWork?: number;
  readonly budget?: number;
  /** What the driver took from its queue; as many as the packets unless given. */
  readonly work?: number;
  /** Interrupts behind the one that led to it; 0 unless given. */
  readonly again?: number;
  /** When the queue was known empty; unknown unless given. */
  readonly empty?: number;
  /** One of CONTEXT; in a softirq unless given. */
  readonly context?: number;
  readonly flags?: number;
}

/** Appends a packet; returns its row. */
export function addPacket(lane: Lane, packet: PacketRow): number {
  const row = lane.addPacket();
  const { packets } = lane;
  packets.times[0]![row] = packet.driver;
  packets.resetLater(row);
  packets.times[stageIndex('stack') - FIRST_PACKET_STAGE]![row] = packet.stack ?? Number.NaN;
  packets.hardware[row] = packet.hardware ?? Number.NaN;
  packets.hardwareError[row] = packet.hardwareError ?? (packet.hardware === undefined ? Number.NaN : 0);
  for (const [name, time] of Object.entries(packet.times ?? {}))
    packets.times[stageIndex(name as StageName) - FIRST_PACKET_STAGE]![row] = time;
  packets.hash[row] = 0;
  packets.poll[row] = packet.none ? PacketColumns.NONE : PacketColumns.OPEN;
  packets.indexInPoll[row] = packet.index ?? 0;
  packets.stackCpu[row] = packet.stackCpu ?? 0;
  packets.skb[row] = packet.skb ?? 0;
  packets.length[row] = packet.length ?? 0;
  packets.queue[row] = packet.queue ?? 0;
  packets.protocol[row] = packet.protocol ?? 0;
  packets.vlan[row] = packet.vlan ?? 0;
  packets.flags[row] = 0;
  const bytes = packet.bytes ?? [];
  packets.capturedLength[row] = bytes.length;
  new Uint8Array(packets.header.buffer, row * HEADER_WORDS * 4, HEADER_WORDS * 4).set(bytes);
  if (packet.none) lane.openFrom = lane.count;
  return row;
}

/** Appends a poll and closes the last `packets` packets with it; returns its row. */
export function closePoll(lane: Lane, poll: PollRow): number {
  const row = lane.addPoll();
  const { polls } = lane;
  for (const [stage, column] of polls.times.entries()) {
    const time = Object.entries(poll.times ?? {}).find(
      ([name]) => stageIndex(name as StageName) === stage,
    )?.[1];
    column[row] = time ?? Number.NaN;
  }
  polls.packets[row] = poll.packets + (poll.lost ?? 0) + (poll.filtered ?? 0);
  polls.irq[row] = poll.irq ?? 0;
  polls.vector[row] = poll.vector ?? 0;
  polls.irqCpu[row] = poll.irqCpu ?? 0;
  polls.napiId[row] = poll.napiId ?? 0;
  polls.pid[row] = poll.pid ?? 0;
  polls.end[row] = poll.end ?? 0;
  polls.previousEnd[row] = poll.previousEnd ?? 0;
  polls.work[row] = poll.work ?? poll.packets + (poll.lost ?? 0) + (poll.filtered ?? 0);
  polls.budget[row] = poll.budget ?? 64;
  polls.previousWork[row] = poll.previousWork ?? 0;
  polls.again[row] = poll.again ?? 0;
  polls.empty[row] = poll.empty ?? Number.NaN;
  polls.context[row] = poll.context ?? CONTEXT.softirq;
  polls.flags[row] = poll.flags ?? (poll.irq === undefined ? 0 : POLL.CAUSED);
  lane.closePoll(row, poll.packets);
  return row;
}
