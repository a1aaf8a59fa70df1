/**
 * Records of one CPU, as columns. A lane is a queue: rows are appended by the method that decodes events, read by
 * src/packet, and dropped from the front. Cast: {@link PacketColumns} one row per packet, {@link PollColumns} one row
 * per NAPI poll, {@link Lane} both, with the rule that ties packets to their poll.
 *
 * Times are nanoseconds relative to the session's base, in doubles: exact for 104 days around it. NaN: not stamped.
 */
import { STAGES, stageIndex } from '../stages.js';
import { Columns } from './columns.js';
import { SEQUENCE_BITS } from './later.js';

/** Words of header bytes per packet (64 bytes). */
export const HEADER_WORDS = 16;

/** The NIC's own stamp: a packet's, although it lies before the stages of its poll. */
export const HARDWARE_STAGE: number = stageIndex('hw');

/** The first stage that belongs to a packet's interrupt or poll. */
export const FIRST_POLL_STAGE: number = STAGES.findIndex((stage) => stage.per === 'poll');

/** Stages from this one on belong to the packet; the ones before, but for the NIC's stamp, belong to its poll. */
export const FIRST_PACKET_STAGE: number = stageIndex('driver');

/** Blanks of packets that are not 0: what the driver stage does not know yet. */
const PACKET_BLANKS: Readonly<Record<string, number>> = {
  times: Number.NaN,
  hardware: Number.NaN,
  hardwareError: Number.NaN,
  mergedInto: -1,
  ended: Number.POSITIVE_INFINITY,
};

/** One row per packet. `poll` is a row of the lane's {@link PollColumns}, or one of the markers below. */
export class PacketColumns extends Columns {
  /** `poll` of a packet whose poll has not ended yet. */
  static readonly OPEN = -1;
  /** `poll` of a packet of an interface without interrupts: there is no poll to wait for. */
  static readonly NONE = -2;
  /** `poll` of a packet whose poll's end was never seen. */
  static readonly UNSEEN = -3;
  /** `poll` of a packet of a method that sees neither interrupts nor polls. */
  static readonly UNTOLD = -4;

  /**
   * Per later stage, indexed by stage; the first is the driver stage. A lane is in the order of the first of them that its
   * method stamps.
   */
  readonly times: Float64Array[] = STAGES.slice(FIRST_PACKET_STAGE).map(
    () => new Float64Array(this.capacity),
  );
  poll = new Int32Array(this.capacity);
  /** Place in its poll from 1, counting what filters stopped; 0 until {@link Lane.closePoll} where the method does not tell. */
  indexInPoll = new Uint32Array(this.capacity);
  /** The skb's address without its constant upper 16 bits; a key to join later stages by, never shown. */
  skb = new Float64Array(this.capacity);
  length = new Uint32Array(this.capacity);
  hash = new Uint32Array(this.capacity);
  protocol = new Uint16Array(this.capacity);
  vlan = new Uint16Array(this.capacity);
  queue = new Uint16Array(this.capacity);
  capturedLength = new Uint16Array(this.capacity);
  flags = new Uint8Array(this.capacity);
  /** NIC's own stamp, nanoseconds of CLOCK_MONOTONIC relative to the session's base like all others; NaN: none. */
  hardware = new Float64Array(this.capacity);
  /** How far `hardware` may be off in either direction, ns: it was converted from the NIC's clock. NaN: no stamp. */
  hardwareError = new Float64Array(this.capacity);
  /** CPU of the `stack` stage + 1, 0: not seen. Another one than the lane's: RPS moved the packet. */
  stackCpu = new Uint16Array(this.capacity);
  /** How its way ended, one of {@link FATE}. */
  fate = new Uint8Array(this.capacity);
  /** The kernel's drop reason where it was freed with one, a subsystem's number above 16 bits; 0: the kernel gives none. */
  dropReason = new Uint32Array(this.capacity);
  /** Where `fate` is merged: its packet's {@link packetId}; -1 otherwise. */
  mergedInto = new Float64Array(this.capacity);
  /** Who was woken when it was queued on the socket, 0: nobody seen. */
  wokenTid = new Uint32Array(this.capacity);
  /** Who read it: process, thread, bytes of it that were taken, or {@link UNKNOWN_BYTES}. 0: not read, or not seen by whom. */
  readerPid = new Uint32Array(this.capacity);
  readerTid = new Uint32Array(this.capacity);
  readBytes = new Uint32Array(this.capacity);
  /** When it was known that nothing more will be told of it; Infinity: not yet. */
  ended = new Float64Array(this.capacity);
  header = new Uint32Array(this.capacity * HEADER_WORDS);

  constructor() {
    super(1024);
    this.clear();
  }

  /** Clears what stages behind the driver's have left in a row that is used again. */
  resetLater(row: number): void {
    for (let i = 1; i < this.times.length; i++) this.times[i]![row] = Number.NaN;
    this.stackCpu[row] = 0;
    this.fate[row] = FATE.open;
    this.dropReason[row] = 0;
    this.mergedInto[row] = -1;
    this.wokenTid[row] = 0;
    this.readerPid[row] = 0;
    this.readerTid[row] = 0;
    this.readBytes[row] = 0;
    this.ended[row] = Number.POSITIVE_INFINITY;
  }

  protected blank(name: string): number {
    return PACKET_BLANKS[name] ?? 0;
  }
}

/** One row per NAPI poll that had packets. */
export class PollColumns extends Columns {
  /** Per stage before the driver stage, indexed by stage; the NIC's stamp is not the poll's, its place here stays NaN. */
  readonly times: Float64Array[] = STAGES.slice(0, FIRST_PACKET_STAGE).map(
    () => new Float64Array(this.capacity),
  );
  end = new Float64Array(this.capacity);
  previousEnd = new Float64Array(this.capacity);
  /** The line that serves this NAPI, 0: not seen yet. Whether it led to this poll is in `flags`. */
  irq = new Uint32Array(this.capacity);
  vector = new Uint16Array(this.capacity);
  irqCpu = new Uint16Array(this.capacity);
  again = new Uint32Array(this.capacity);
  /** All packets of the poll, with those that filters stopped or that were lost. */
  packets = new Uint32Array(this.capacity);
  work = new Int32Array(this.capacity);
  budget = new Int32Array(this.capacity);
  previousWork = new Int32Array(this.capacity);
  napiId = new Uint32Array(this.capacity);
  pid = new Uint32Array(this.capacity);
  flags = new Uint8Array(this.capacity);
  /**
   * The latest time before this poll at which its queue is known to have been empty; NaN: none. Nothing that this poll
   * found had arrived then.
   */
  empty = new Float64Array(this.capacity);
  /** Where it ran, one of {@link CONTEXT}. */
  context = new Uint8Array(this.capacity);

  constructor() {
    super(256);
    this.clear();
  }

  protected blank(name: string): number {
    return name === 'times' || name === 'empty' ? Number.NaN : 0;
  }
}

/** poll.flags: what the method says about a poll. */
export const POLL = {
  /** An interrupt of this NAPI led to the poll; the entry, isr and raise times and `irq` are its. */
  CAUSED: 1,
  /** The NAPI was scheduled already when that interrupt came. */
  MISSED: 2,
  /** More than one interrupt could have been the one; the earliest was taken. */
  AMBIGUOUS: 4,
} as const;

/** Where a packet's NAPI poll ran. */
export const CONTEXT = {
  /** NET_RX softirq, on the way out of an interrupt or in whatever task it interrupted. */
  softirq: 0,
  ksoftirqd: 1,
  /** The NAPI instance's own kernel thread. */
  threaded: 2,
  /** The reading task itself, in napi_busy_loop. */
  busyPoll: 3,
  /** The interrupt's thread (threadirqs, PREEMPT_RT). */
  irqThread: 4,
} as const;

/** How a packet's way ended, as far as the trace saw it. */
export const FATE = {
  /** Not seen: the trace did not look that far, or ended before. */
  open: 0,
  /** Copied to a reader. */
  read: 1,
  /** Freed with a reason. */
  dropped: 2,
  /** GRO or reassembly put it into another packet. */
  merged: 3,
  /** Lies in a socket, not read when it was shown. */
  queued: 4,
  /** The socket was closed with it queued. */
  closed: 5,
  /** The kernel used it up itself: no socket's data (ARP, ICMP, a bare ACK). */
  kernel: 6,
  /** The kernel sent it on. */
  forwarded: 7,
} as const;

/** `readBytes` where it was read, but not seen how much of it. */
export const UNKNOWN_BYTES = 0xffff_ffff;

const HALF = 4_294_967_296;

/** One number per packet of a session: its CPU and its place there. */
export function packetId(cpu: number, sequence: number): number {
  return cpu * HALF + sequence;
}

/** The CPU in a {@link packetId}. */
export function cpuOfPacket(id: number): number {
  return Math.floor(id / HALF);
}

/** packet.flags. */
export const PACKET_AT_ETHERNET = 1;

/** The records of one CPU, oldest first. Rows [head, count) are waiting to be read. */
export class Lane {
  /** In place of a row: its packet was read and is gone. */
  static readonly LEFT = -1;
  /** In place of a row: its packet is not in the lane yet. */
  static readonly COMING = -2;

  readonly cpu: number;
  readonly packets = new PacketColumns();
  readonly polls = new PollColumns();
  head = 0;
  count = 0;
  pollCount = 0;
  /** First row whose poll has not ended. */
  openFrom = 0;
  /** Rows that were dropped from the front so far: the place of row 0 among all packets of this lane. */
  dropped = 0;

  constructor(cpu: number) {
    this.cpu = cpu;
  }

  /** The number of a row's packet in its session. */
  idOf(row: number): number {
    return packetId(this.cpu, (this.dropped + row) >>> 0);
  }

  /** The row of packet `id` (of this lane); {@link Lane.LEFT} or {@link Lane.COMING} when it is not here. */
  rowOf(id: number): number {
    return this.place(((id % HALF) - this.dropped) | 0);
  }

  /** The same by place modulo 2^{@link SEQUENCE_BITS}. */
  rowAt(sequence: number): number {
    const unused = 32 - SEQUENCE_BITS;
    return this.place(((sequence - this.dropped) << unused) >> unused);
  }

  /** The number of the packet at a place modulo 2^{@link SEQUENCE_BITS}, wherever it is. */
  idAt(sequence: number): number {
    const unused = 32 - SEQUENCE_BITS;
    return this.idOf(((sequence - this.dropped) << unused) >> unused);
  }

  private place(row: number): number {
    if (row >= this.count) return Lane.COMING;
    return row < this.head ? Lane.LEFT : row;
  }

  /** A new packet row; the caller fills its columns. */
  addPacket(): number {
    if (this.count === this.packets.capacity) this.packets.grow();
    return this.count++;
  }

  /** A new poll row; the caller fills its columns, then calls {@link closePoll}. */
  addPoll(): number {
    if (this.pollCount === this.polls.capacity) this.polls.grow();
    return this.pollCount++;
  }

  /** Ties the last `packets` open rows to a poll. Older open rows lost their poll's end. */
  closePoll(poll: number, packets: number): void {
    // Where the poll's first packet is, or was: it may have left already when the poll took very long.
    const start = this.count - packets;
    const first = Math.max(this.openFrom, start);
    this.packets.poll.fill(PacketColumns.UNSEEN, this.openFrom, first);
    this.packets.poll.fill(poll, first, this.count);
    // At least its place among the rows; the method knows of packets that are no rows.
    const { indexInPoll } = this.packets;
    for (let row = first; row < this.count; row++)
      indexInPoll[row] = Math.max(indexInPoll[row] as number, row - start + 1);
    this.openFrom = this.count;
  }

  /** Gives up on the polls of rows before `end`: their end was not seen. */
  abandonOpen(end: number): void {
    if (end <= this.openFrom) return;
    this.packets.poll.fill(PacketColumns.UNSEEN, this.openFrom, end);
    this.openFrom = end;
  }

  /** Drops the rows that were read, when that is cheap. */
  compact(): void {
    if (this.head === this.count) {
      this.dropped += this.count;
      this.head = this.count = this.openFrom = this.pollCount = 0;
      return;
    }
    if (this.head < this.packets.capacity / 2) return;
    this.packets.moveToFront(this.head, this.count);
    this.dropped += this.head;
    this.openFrom -= this.head;
    this.count -= this.head;
    this.head = 0;
    this.dropReadPolls();
  }

  private dropReadPolls(): void {
    const oldest = this.packets.poll.subarray(0, this.count).find((poll) => poll >= 0);
    const from = oldest ?? this.pollCount;
    if (from === 0) return;
    this.polls.moveToFront(from, this.pollCount);
    for (let row = 0; row < this.count; row++) {
      const poll = this.packets.poll[row] as number;
      if (poll >= 0) this.packets.poll[row] = poll - from;
    }
    this.pollCount -= from;
  }
}
