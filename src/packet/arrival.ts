/**
 * How a packet arrived, and its arrival stamp: the rules, in one pure place. docs/arrival.md states them for users.
 *
 * The interrupt's entry is the arrival of the packet that the interrupt was raised for, at the latest: the NIC writes
 * the packet, then raises the interrupt. Packets that the same poll finds behind the first one came later than the
 * first and not later than their own driver stamp; they are shown with their batch's interrupt and say so. A poll that
 * no interrupt led to gives its packets their own driver stamp: nothing earlier is known.
 */
import { FIRST_PACKET_STAGE, FIRST_POLL_STAGE, type Lane, PacketColumns, POLL } from '../record/lane.js';

/** How a packet arrived. */
export const HOW = {
  ownIrq: 0,
  batch: 1,
  polled: 2,
  noIrq: 3,
  unknown: 4,
} as const;

/** One of {@link HOW}. */
export type How = (typeof HOW)[keyof typeof HOW];

/** The names of the classes, indexed by {@link HOW}. */
export const HOW_NAMES = ['own-irq', 'batch', 'polled', 'no-irq', 'unknown'] as const;

/** On what ground the arrival is what it is, indexed by {@link HOW}. */
export const GROUNDS = [
  'first packet of the poll that this interrupt led to',
  'found by the same poll behind its first packet: arrived after it and not after its own driver stamp',
  'no interrupt led to this poll: arrived not after its driver stamp',
  'the interface has no interrupts: stamped at the first stage there is',
  'the trace began or ended in the middle of its poll, so its interrupt is not known: arrived not after its driver stamp',
] as const;

/** Stands on one packet of a lane. One object is moved along; nothing is allocated per packet. */
export class PacketCursor {
  lane!: Lane;
  row = 0;
  /** Row in the lane's polls, or -1. */
  poll = -1;
  how: How = HOW.unknown;
  /** k-th of n in its poll, from 1; 0 of 0 without a poll. */
  k = 0;
  n = 0;
  /** Nanoseconds from the session's base. */
  arrival = 0;
  /** Index of the stage whose stamp the arrival is. */
  arrivalStage = FIRST_PACKET_STAGE;
  /** The packet had not arrived before; NaN: nothing is known. */
  notBefore = Number.NaN;
  /** The packet had arrived by then; never less than `arrival`. */
  notAfter = 0;
  /** True where the rule leaves no other way; else probable. */
  certain = false;
  /** Index into {@link GROUNDS}: the rule that decided. */
  rule = 0;

  /** Time at a stage by index, relative to base; NaN when it was not stamped. */
  stage(index: number): number {
    if (index >= FIRST_PACKET_STAGE) {
      return this.lane.packets.times[index - FIRST_PACKET_STAGE]![this.row] as number;
    }
    if (index < FIRST_POLL_STAGE) return this.lane.packets.hardware[this.row] as number;
    return this.poll < 0 ? Number.NaN : (this.lane.polls.times[index]![this.poll] as number);
  }
}

/** Fills in class, position and arrival of the packet that the cursor stands on. */
export function classify(cursor: PacketCursor): void {
  const { lane, row } = cursor;
  const poll = lane.packets.poll[row] as number;
  cursor.arrival = lane.packets.times[0]![row] as number;
  cursor.arrivalStage = FIRST_PACKET_STAGE;
  cursor.k = 0;
  cursor.n = 0;
  cursor.notBefore = Number.NaN;
  cursor.notAfter = cursor.arrival;
  cursor.certain = false;
  cursor.poll = poll;
  if (poll < 0) {
    cursor.poll = -1;
    cursor.how = poll === PacketColumns.NONE ? HOW.noIrq : HOW.unknown;
    return;
  }
  cursor.k = lane.packets.indexInPoll[row] as number;
  cursor.n = lane.polls.packets[poll] as number;
  if (((lane.polls.flags[poll] as number) & POLL.CAUSED) === 0) {
    // Without an end of its NAPI's poll before, the interrupt may have come before the hooks were there.
    cursor.how = Number.isNaN(lane.polls.previousEnd[poll]) ? HOW.unknown : HOW.polled;
    return;
  }
  // Where packets of the poll are missing, its first one may be among them.
  cursor.how = cursor.k === 1 && lane.polls.lost[poll] === 0 ? HOW.ownIrq : HOW.batch;
  for (let stage = FIRST_POLL_STAGE; stage < FIRST_PACKET_STAGE; stage++) {
    const time = lane.polls.times[stage]![poll] as number;
    if (Number.isNaN(time)) continue;
    cursor.arrival = time;
    cursor.arrivalStage = stage;
    return;
  }
}
