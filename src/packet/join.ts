/**
 * Packets in the order in which the driver handed them over, over all CPUs. A packet leaves when its poll has ended,
 * its end is known (or it had its time), and no CPU can still give an earlier one.
 */
import { FATE, FIRST_PACKET_STAGE, type Lane, PacketColumns } from '../record/lane.js';
import type { RecordSource } from '../record/source.js';
import { type StageName, stageIndex } from '../stages.js';
import { type ArrivalFacts, classify, NO_FACTS, type PacketCursor } from './arrival.js';
import { SOCKET, TRANSPORT } from './ends.js';
import { IN_FLIGHT_NS, Ladder } from './ladder.js';
import { Headers } from './segment.js';

export { IN_FLIGHT_NS } from './ladder.js';

/** A packet that a filter dropped below the last stage never gets there: after this it goes without. */
const STAGE_HOLD_NS = 20_000_000;
/** A poll lasts at most some milliseconds; after this its end was lost. */
const POLL_HOLD_NS = 2_000_000_000;
/** How long a packet is waited for whose end is not known: it may lie in its socket for as long as it likes. */
const WAIT_NS = 1_000_000_000;

/** What may be asked of a {@link Joiner}. */
export interface JoinerOptions {
  /** Nanoseconds from the driver stage on for which a packet's end is waited for; 1 s unless given. */
  readonly waitNs?: number | undefined;
}

/** Joins the records of a source into packets. */
export class Joiner {
  private readonly source: RecordSource;
  private readonly ladder: Ladder;
  private readonly headers = new Headers();
  /** The first stage of packets that the source stamps. */
  private readonly firstStage: number;
  private readonly firstColumn: number;
  private readonly lastColumn: number;
  /** Whether packets are seen to be read or dropped. */
  private readonly endsSeen: boolean;
  /** Whether every packet is seen that gets there. */
  private readonly transportSeen: boolean;
  private readonly waitNs: number;
  private readonly facts: ArrivalFacts;
  private active: Lane[] = [];

  /** @param facts without them no interrupt's time is certain to be an arrival */
  constructor(
    source: RecordSource,
    until: StageName,
    facts: ArrivalFacts = NO_FACTS,
    { waitNs = WAIT_NS }: JoinerOptions = {},
  ) {
    this.source = source;
    this.ladder = new Ladder(source);
    this.waitNs = waitNs;
    this.facts = facts;
    const last = Math.max(stageIndex(until), FIRST_PACKET_STAGE);
    const stamped = source.ways.filter((way) => way.hook !== undefined).map((way) => stageIndex(way.stage));
    this.firstStage = Math.min(...stamped.filter((stage) => stage >= FIRST_PACKET_STAGE));
    if (this.firstStage === Number.POSITIVE_INFINITY) this.firstStage = FIRST_PACKET_STAGE;
    this.firstColumn = this.firstStage - FIRST_PACKET_STAGE;
    this.lastColumn = Math.min(last, Math.max(...stamped, FIRST_PACKET_STAGE)) - FIRST_PACKET_STAGE;
    this.endsSeen = stamped.some((stage) => stage >= stageIndex('read'));
    // Where functions cannot be hooked, transport is seen of some TCP segments only, and ip of none.
    this.transportSeen = stamped.includes(stageIndex('transport')) && stamped.includes(stageIndex('ip'));
  }

  /** Later stages that came when their packet had left already: its time was too short. */
  get late(): number {
    return this.ladder.late;
  }

  /** Later stages whose packet was never seen. */
  get unmatchedStages(): number {
    return this.ladder.unmatched;
  }

  /** Name of a thread that was woken or read, as it was when it was last seen; undefined: not seen. */
  taskName(tid: number): string | undefined {
    return this.ladder.taskName(tid);
  }

  /**
   * Call after each drain, before {@link next}.
   * @param final the source has stopped: nothing more will come
   */
  begin(final: boolean): void {
    this.ladder.settle(final);
    this.active = this.source.lanes.filter((lane) => lane.head < lane.count);
  }

  /**
   * Moves the cursor to the next packet in order.
   * @param final the source has stopped: wait for nothing
   * @returns false when none is ready
   */
  next(cursor: PacketCursor, final: boolean): boolean {
    let first: Lane | undefined;
    let earliest = Number.POSITIVE_INFINITY;
    for (const lane of this.active) {
      if (lane.head >= lane.count) continue;
      const time = lane.packets.times[this.firstColumn]![lane.head] as number;
      if (time < earliest) {
        earliest = time;
        first = lane;
      }
    }
    if (first === undefined) return false;
    if (!final && !this.ready(first, earliest)) return false;
    const row = first.head++;
    if (first.packets.poll[row] === PacketColumns.OPEN) first.abandonOpen(row + 1);
    if (this.endsSeen) this.settleFate(first, row);
    cursor.firstStage = this.firstStage;
    cursor.lane = first;
    cursor.row = row;
    classify(cursor, this.facts);
    return true;
  }

  /** @param time the packet's first stamp */
  private ready(lane: Lane, time: number): boolean {
    const now = this.source.drainedTo;
    if (time > now - IN_FLIGHT_NS) return false;
    const { packets, head } = lane;
    if (packets.poll[head] === PacketColumns.OPEN && time > now - POLL_HOLD_NS) return false;
    if (this.lastColumn <= this.firstColumn) return true;
    if (this.endsSeen) {
      // Its end may be in a ring that was read later than those of its other stages.
      if ((packets.ended[head] as number) <= now - IN_FLIGHT_NS || time <= now - this.waitNs) return true;
      return this.emptySegment(lane, head) && this.usedUp(lane, head, now);
    }
    if (time <= now - STAGE_HOLD_NS || packets.fate[head] === FATE.merged) return true;
    return (packets.times[this.lastColumn]![head] as number) <= now - IN_FLIGHT_NS;
  }

  /** TCP without data never gets to a reader, and the kernel frees it silently. */
  private emptySegment(lane: Lane, row: number): boolean {
    const { tcp, payload } = this.headers.read(lane, row);
    return tcp && payload === 0;
  }

  /** It had the time to be dropped, and was not. */
  private usedUp(lane: Lane, row: number, now: number): boolean {
    const { times } = lane.packets;
    if (!this.transportSeen) return (times[0]![row] as number) <= now - STAGE_HOLD_NS;
    return (times[TRANSPORT]![row] as number) <= now - 2 * IN_FLIGHT_NS;
  }

  private settleFate(lane: Lane, row: number): void {
    const { packets } = lane;
    this.ladder.conclude(lane, row);
    if (packets.fate[row] !== FATE.open) return;
    const reached = !this.transportSeen || !Number.isNaN(packets.times[TRANSPORT]![row]);
    if (reached && this.emptySegment(lane, row)) packets.fate[row] = FATE.kernel;
    else if (!Number.isNaN(packets.times[SOCKET]![row])) packets.fate[row] = FATE.queued;
  }

  /** Call after the last {@link next} of a drain: gives the lanes' room back. */
  end(): void {
    for (const lane of this.active) lane.compact();
  }
}
