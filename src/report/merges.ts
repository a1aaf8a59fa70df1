/**
 * Which packet went into which, in the numbers that the output has. Numbers are given in the order of the driver stamps,
 * so a packet that GRO merged mostly comes after its head, whose number is known then; a fragment often comes before the
 * one that the whole is made in. Then the head's line tells. Both sides are bounded: what is older is forgotten.
 */
import type { PacketCursor } from '../packet/arrival.js';
import { FATE, cpuOfPacket } from '../record/lane.js';

/** Packets per CPU whose numbers are remembered: far more than a socket's time to reassemble or GRO to hold. */
const REMEMBERED = 65_536;
/** Heads that are still to come. */
const MOST_AWAITED = 65_536;
/** Parts that one head may list. */
const MOST_PARTS = 1024;

/** Numbers of the last packets of a CPU, by their place there. */
interface Remembered {
  readonly ids: Float64Array;
  readonly numbers: Float64Array;
}

/** The numbers of merged packets. */
export class Merges {
  private readonly cpus: Remembered[] = [];
  /** Numbers of packets that went into one that has not come yet, by its id. */
  private readonly awaited = new Map<number, number[]>();

  /** Remembers the number of a packet that is shown; before it is printed. */
  note(cursor: PacketCursor, number: number): void {
    const { lane, row } = cursor;
    const id = lane.idOf(row);
    const seen = (this.cpus[lane.cpu] ??= {
      ids: new Float64Array(REMEMBERED).fill(-1),
      numbers: new Float64Array(REMEMBERED),
    });
    const at = id % REMEMBERED;
    seen.ids[at] = id;
    seen.numbers[at] = number;
    if (lane.packets.fate[row] === FATE.merged) this.await(lane.packets.mergedInto[row] as number, number);
  }

  private await(head: number, number: number): void {
    if (head < 0 || this.numberOf(head) !== undefined) return;
    const parts = this.awaited.get(head);
    if (parts === undefined) this.awaited.set(head, [number]);
    else if (parts.length < MOST_PARTS) parts.push(number);
    if (this.awaited.size <= MOST_AWAITED) return;
    const [oldest] = this.awaited.keys();
    this.awaited.delete(oldest as number);
  }

  private numberOf(id: number): number | undefined {
    const seen = this.cpus[cpuOfPacket(id)];
    const at = id % REMEMBERED;
    return seen !== undefined && seen.ids[at] === id ? seen.numbers[at] : undefined;
  }

  /** Number of the packet that this one went into; undefined: it comes later, or is not shown. */
  into(cursor: PacketCursor): number | undefined {
    const head = cursor.lane.packets.mergedInto[cursor.row] as number;
    return head < 0 ? undefined : this.numberOf(head);
  }

  /** Numbers of the packets shown before that went into this one; told once. */
  from(cursor: PacketCursor): readonly number[] {
    if (this.awaited.size === 0) return [];
    const id = cursor.lane.idOf(cursor.row);
    const parts = this.awaited.get(id);
    this.awaited.delete(id);
    return parts ?? [];
  }
}
