/**
 * Which packets are shown, by what is only known when a packet's way is known: who read it, and how long it took. What
 * the kernel could decide before is decided there (bpf/packet.bpf.h) and here once more, with the stamps that are shown.
 */
import { FIRST_PACKET_STAGE } from '../record/lane.js';
import { STAGES, type StageName, stageIndex } from '../stages.js';
import type { PacketCursor } from './arrival.js';

/** Only packets that took longer than `ns` on their way. */
export interface SlowerThan {
  /** Undefined, both of them: from the arrival to the packet's last stamp. */
  readonly from: StageName | undefined;
  readonly to: StageName | undefined;
  readonly ns: number;
}

/** What is selected; undefined: all. */
export interface Wanted {
  readonly slower: SlowerThan | undefined;
  /** Processes, as the initial PID namespace numbers them. */
  readonly pids: readonly number[] | undefined;
}

/** Packets that are not shown, by why. */
export interface Stopped {
  /** A filter expression did not match; decided in the kernel. */
  expression: number;
  /** It did not match, but bytes that it looks at could not be read: they lie in page fragments. */
  unreadable: number;
  /** Not slower than asked. */
  faster: number;
  /** Without one of the two stamps that were asked about. */
  unstamped: number;
  /** Read by another process. */
  otherReader: number;
  /** Not seen to be read by any process. */
  unread: number;
}

/** The last stage that a packet has a stamp of. */
function lastStamp(cursor: PacketCursor): number {
  for (let stage = STAGES.length - 1; stage > FIRST_PACKET_STAGE; stage--) {
    const time = cursor.stage(stage);
    if (!Number.isNaN(time)) return time;
  }
  return cursor.stage(FIRST_PACKET_STAGE);
}

/** Chooses packets and counts the others. */
export class Selection {
  readonly stopped: Stopped = {
    expression: 0,
    unreadable: 0,
    faster: 0,
    unstamped: 0,
    otherReader: 0,
    unread: 0,
  };
  /** True where something may be left out. */
  readonly narrows: boolean;
  private readonly slower: SlowerThan | undefined;
  private readonly from: number;
  private readonly to: number;
  private readonly pids: ReadonlySet<number> | undefined;

  constructor({ slower, pids }: Wanted) {
    this.slower = slower;
    this.from = slower?.from === undefined ? -1 : stageIndex(slower.from);
    this.to = slower?.to === undefined ? -1 : stageIndex(slower.to);
    this.pids = pids === undefined ? undefined : new Set(pids);
    this.narrows = slower !== undefined || pids !== undefined;
  }

  /** True for a packet to show; counts it otherwise. */
  admits(cursor: PacketCursor): boolean {
    return !this.narrows || (this.byReader(cursor) && this.byTime(cursor));
  }

  private byReader(cursor: PacketCursor): boolean {
    if (this.pids === undefined) return true;
    const pid = cursor.lane.packets.readerPid[cursor.row] as number;
    if (this.pids.has(pid)) return true;
    this.stopped[pid === 0 ? 'unread' : 'otherReader']++;
    return false;
  }

  private byTime(cursor: PacketCursor): boolean {
    if (this.slower === undefined) return true;
    const from = this.from < 0 ? cursor.arrival : cursor.stage(this.from);
    const to = this.to < 0 ? lastStamp(cursor) : cursor.stage(this.to);
    if (to - from > this.slower.ns) return true;
    this.stopped[Number.isNaN(to - from) ? 'unstamped' : 'faster']++;
    return false;
  }
}
