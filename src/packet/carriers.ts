/**
 * Packets that have the bytes of others (GRO, reassembly, a TCP socket's backlog): what they go through, the others go
 * through with them. Packets are named by their number in the session; those that have left are not found any more.
 */
import { type Lane, cpuOfPacket } from '../record/lane.js';

/** Called for a packet. */
export type Visit = (lane: Lane, row: number) => void;

/** Who carries whom. */
export class Carriers {
  private readonly carried = new Map<number, number[]>();
  private readonly lanes: readonly Lane[];

  constructor(lanes: readonly Lane[]) {
    this.lanes = lanes;
  }

  /** From now on `carrier` has the bytes of packet `id`. */
  add(carrier: number, id: number): void {
    const ids = this.carried.get(carrier);
    if (ids === undefined) this.carried.set(carrier, [id]);
    else ids.push(id);
  }

  /** Those that a packet carries, itself gone or not. */
  of(carrier: number): readonly number[] {
    return this.carried.get(carrier) ?? [];
  }

  /** Visits those that a packet carries and that have not left. */
  each(lane: Lane, row: number, visit: Visit): void {
    if (this.carried.size === 0) return;
    for (const id of this.of(lane.idOf(row))) this.visit(id, visit);
  }

  /** Visits one packet. Returns false when it has left. */
  visit(id: number, visit: Visit): boolean {
    const lane = this.lanes[cpuOfPacket(id)] as Lane;
    const row = lane.rowOf(id);
    if (row < 0) return false;
    visit(lane, row);
    return true;
  }

  /** Forgets carriers whose packets have all left. */
  sweep(): void {
    for (const [carrier, ids] of this.carried) {
      if (!ids.some((id) => this.visit(id, () => {}))) this.carried.delete(carrier);
    }
  }
}
