/**
 * Packets in the order in which the driver handed them over, over all CPUs. A packet leaves when its poll has ended,
 * its later stages have come (or had their time), and no CPU can still give an earlier one.
 */
import { FIRST_PACKET_STAGE, type Lane, PacketColumns } from '../record/lane.js';
import type { RecordSource } from '../record/source.js';
import { type StageName, stageIndex } from '../stages.js';
import { type ArrivalFacts, classify, NO_FACTS, type PacketCursor } from './arrival.js';

/** How long a program may take from reading its clock to publishing its record, interrupts included. */
export const IN_FLIGHT_NS = 1_000_000;
/** A packet that GRO merged or a filter dropped never gets its later stages: after this it goes without them. */
const STAGE_HOLD_NS = 20_000_000;
/** A poll lasts at most some milliseconds; after this its end was lost. */
const POLL_HOLD_NS = 2_000_000_000;
/** GRO hands packets on in batches of 8 (gro_normal_batch), a budget is 64: far enough back to find any of them. */
const SEARCH_ROWS = 512;

interface Orphan {
  readonly column: number;
  readonly skb: number;
  readonly time: number;
  /** The packet that had the address then: the newest one that is not younger than the stage. */
  lane: Lane | undefined;
  row: number;
}

function offer(orphan: Orphan, lane: Lane, row: number): void {
  const driver = lane.packets.times[0]![row] as number;
  const best = orphan.lane?.packets.times[0]![orphan.row] ?? Number.NEGATIVE_INFINITY;
  if (driver >= orphan.time || driver < best) return;
  orphan.lane = lane;
  orphan.row = row;
}

/** Joins the records of a source into packets. */
export class Joiner {
  /** Later stages that found no packet: of packets before the trace began, or filtered out. */
  unmatchedStages = 0;
  private readonly source: RecordSource;
  private readonly lastColumn: number;
  private readonly facts: ArrivalFacts;
  private orphans: Orphan[] = [];
  private active: Lane[] = [];

  /** @param facts without them no interrupt's time is certain to be an arrival */
  constructor(source: RecordSource, until: StageName, facts: ArrivalFacts = NO_FACTS) {
    this.source = source;
    this.facts = facts;
    const last = Math.max(stageIndex(until), FIRST_PACKET_STAGE);
    const stamped = source.ways.filter((way) => way.hook !== undefined).map((way) => stageIndex(way.stage));
    this.lastColumn = Math.min(last, Math.max(...stamped, FIRST_PACKET_STAGE)) - FIRST_PACKET_STAGE;
    source.onStage = (stage, skb, time, cpu) => this.addStage(stage - FIRST_PACKET_STAGE, skb, time, cpu);
  }

  private addStage(column: number, skb: number, time: number, cpu: number): void {
    const lane = this.source.lanes[cpu] as Lane;
    // The newest packet at that address: an older one has been freed.
    const oldest = Math.max(lane.head, lane.count - SEARCH_ROWS);
    for (let row = lane.count - 1; row >= oldest; row--) {
      if (lane.packets.skb[row] !== skb || time <= (lane.packets.times[0]![row] as number)) continue;
      if (this.stamp(lane, row, column, time)) return;
      break;
    }
    this.orphans.push({ column, skb, time, lane: undefined, row: 0 });
  }

  /** Stamps a packet, unless it is: a packet that comes by twice (a bridge, a tunnel) keeps its first pass. */
  private stamp(lane: Lane, row: number, column: number, time: number): boolean {
    const times = lane.packets.times[column] as Float64Array;
    if (!Number.isNaN(times[row])) return false;
    times[row] = time;
    return true;
  }

  /** Later stages that ran on another CPU than the driver stage: looked for once all rings are read. */
  private matchOrphans(): void {
    if (this.orphans.length === 0) return;
    const bySkb = new Map<number, Orphan[]>();
    for (const orphan of this.orphans) {
      orphan.lane = undefined;
      const same = bySkb.get(orphan.skb);
      if (same === undefined) bySkb.set(orphan.skb, [orphan]);
      else same.push(orphan);
    }
    for (const lane of this.source.lanes) {
      for (let row = lane.head; row < lane.count; row++) {
        for (const orphan of bySkb.get(lane.packets.skb[row] as number) ?? []) offer(orphan, lane, row);
      }
    }
    this.orphans = this.orphans.filter((orphan) => {
      if (orphan.lane !== undefined && this.stamp(orphan.lane, orphan.row, orphan.column, orphan.time))
        return false;
      // Its packet may still come: rings are read one after the other, and a record is published after its stamp.
      if (orphan.time > this.source.drainedTo - 2 * IN_FLIGHT_NS) return true;
      this.unmatchedStages++;
      return false;
    });
  }

  /** Call after each drain, before {@link next}. */
  begin(): void {
    this.matchOrphans();
    this.active = this.source.lanes.filter((lane) => lane.head < lane.count);
  }

  /**
   * Moves the cursor to the next packet in order.
   * @param final the source has stopped: nothing more will come, so wait for nothing
   * @returns false when none is ready
   */
  next(cursor: PacketCursor, final: boolean): boolean {
    let first: Lane | undefined;
    let earliest = Number.POSITIVE_INFINITY;
    for (const lane of this.active) {
      if (lane.head >= lane.count) continue;
      const driver = lane.packets.times[0]![lane.head] as number;
      if (driver < earliest) {
        earliest = driver;
        first = lane;
      }
    }
    if (first === undefined) return false;
    if (!final && !this.ready(first, earliest)) return false;
    const row = first.head++;
    if (first.packets.poll[row] === PacketColumns.OPEN) first.abandonOpen(row + 1);
    cursor.lane = first;
    cursor.row = row;
    classify(cursor, this.facts);
    return true;
  }

  private ready(lane: Lane, driver: number): boolean {
    const now = this.source.drainedTo;
    if (driver > now - IN_FLIGHT_NS) return false;
    const { packets, head } = lane;
    if (packets.poll[head] === PacketColumns.OPEN && driver > now - POLL_HOLD_NS) return false;
    if (this.lastColumn === 0 || driver <= now - STAGE_HOLD_NS) return true;
    return !Number.isNaN(packets.times[this.lastColumn]![head]!);
  }

  /** Call after the last {@link next} of a drain: gives the lanes' room back. */
  end(): void {
    for (const lane of this.active) lane.compact();
  }
}
