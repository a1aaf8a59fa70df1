/**
 * Ring records into lanes: the hot path of the reader. Typed arrays in, typed arrays out; no object, closure or BigInt
 * per record. Times are subtracted in 32-bit halves, so they are exact at any uptime.
 */
import { cText } from '../../base/c-text.js';
import {
  HARDWARE_STAGE,
  HEADER_WORDS,
  type Lane,
  PACKET_AT_ETHERNET,
  PacketColumns,
  POLL,
} from '../../record/lane.js';
import { LATER, LaterRecord } from '../../record/later.js';
import type { InterruptRecord } from '../../record/source.js';
import { stageIndex } from '../../stages.js';
import {
  BEGUN,
  CAUSE,
  CAUSE_FLAG,
  DROP,
  IRQ,
  LATER as LATER_KIND,
  LATER_FLAG,
  LIMITS,
  MERGED,
  PACKET,
  PACKET_FLAG,
  POLL as POLL_LAYOUT,
  POLL_FLAG,
  QUEUED,
  READ,
  STAGE,
  STREAM,
  STREAM_WHAT,
  WOKEN,
} from './layout.gen.js';

const HALF = 4_294_967_296;
const ENTRY = stageIndex('entry');
const ISR = stageIndex('isr');
const RAISE = stageIndex('raise');
const SOFTIRQ = stageIndex('softirq');
const POLL_STAGE = stageIndex('poll');
const B = POLL_LAYOUT.begun;
const C = B + BEGUN.cause;

/** What each kind of later record says, and of which stage; indexed by enum rx_later. */
const LATER_OF: Readonly<Record<number, readonly [LaterRecord['what'], number]>> = {
  [LATER_KIND.LATER_STACK]: [LATER.stamp, stageIndex('stack')],
  [LATER_KIND.LATER_IP]: [LATER.stamp, stageIndex('ip')],
  [LATER_KIND.LATER_TRANSPORT]: [LATER.stamp, stageIndex('transport')],
  [LATER_KIND.LATER_SOCKET]: [LATER.stamp, stageIndex('socket')],
  [LATER_KIND.LATER_TCP_SOCKET]: [LATER.tcpSocket, stageIndex('socket')],
  [LATER_KIND.LATER_READ]: [LATER.read, stageIndex('read')],
  [LATER_KIND.LATER_DROP]: [LATER.drop, stageIndex('drop')],
  [LATER_KIND.LATER_WOKEN]: [LATER.woken, stageIndex('socket')],
  [LATER_KIND.LATER_MERGED]: [LATER.merged, stageIndex('driver')],
  [LATER_KIND.LATER_COALESCED]: [LATER.coalesced, stageIndex('transport')],
  [LATER_KIND.LATER_CONSUMED]: [LATER.consumed, stageIndex('read')],
  [LATER_KIND.LATER_FORWARDED]: [LATER.forwarded, stageIndex('read')],
  [LATER_KIND.LATER_EVICTED]: [LATER.evicted, stageIndex('driver')],
  [LATER_KIND.LATER_RELEASED]: [LATER.released, stageIndex('read')],
};

/** Decodes records relative to one base. */
export class Decoder {
  /** Called for a packet with the NIC's own stamp, which lies at word `at`. */
  onHardware: (lane: Lane, row: number, words: Uint32Array, at: number) => void = () => {};
  private readonly tracked: boolean;
  private readonly hardware: boolean;
  private readonly baseHigh: number;
  private readonly baseLow: number;
  private readonly record = new LaterRecord();
  private readonly names = new Map<number, { a: number; b: number; c: number; d: number; name: string }>();

  /**
   * @param base CLOCK_MONOTONIC nanoseconds
   * @param tracked packets are followed beyond the driver stage: records about that may come
   * @param hardware packets may bear the NIC's own stamp
   */
  constructor(base: bigint, tracked = true, hardware = true) {
    this.tracked = tracked;
    this.hardware = hardware;
    this.baseHigh = Number(base >> 32n);
    this.baseLow = Number(base & 0xffff_ffffn);
  }

  /** Time of the two words at byte `offset` of the record, relative to base. */
  private time(words: Uint32Array, word: number, offset: number): number {
    const at = word + (offset >>> 2);
    return ((words[at + 1] as number) - this.baseHigh) * HALF + ((words[at] as number) - this.baseLow);
  }

  /** The same where 0 stands for "not stamped". */
  private stamp(words: Uint32Array, word: number, offset: number): number {
    const at = word + (offset >>> 2);
    const high = words[at + 1] as number;
    const low = words[at] as number;
    return high === 0 && low === 0 ? Number.NaN : (high - this.baseHigh) * HALF + (low - this.baseLow);
  }

  /** An skb address without its upper 16 bits, which are the same for all kernel addresses. */
  private skb(words: Uint32Array, word: number, offset: number): number {
    const at = word + (offset >>> 2);
    return ((words[at + 1] as number) & 0xffff) * HALF + (words[at] as number);
  }

  packet(lane: Lane, words: Uint32Array, word: number): void {
    const row = lane.addPacket();
    const columns = lane.packets;
    const flags = ((words[word] as number) >>> 8) & 0xff;
    columns.times[0]![row] = this.time(words, word, PACKET.driver);
    // Else nobody writes there, and the columns are blank as they were made.
    if (this.tracked) columns.resetLater(row);
    if (this.hardware) {
      columns.hardware[row] = Number.NaN;
      columns.hardwareError[row] = Number.NaN;
    }
    columns.poll[row] = flags & PACKET_FLAG.PACKET_OPENED ? PacketColumns.OPEN : PacketColumns.NONE;
    columns.length[row] = words[word + PACKET.len / 4] as number;
    columns.skb[row] = this.skb(words, word, PACKET.skb);
    columns.hash[row] = words[word + PACKET.hash / 4] as number;
    const protocolVlan = words[word + PACKET.protocol / 4] as number;
    columns.protocol[row] = ((protocolVlan & 0xff) << 8) | ((protocolVlan >>> 8) & 0xff);
    columns.vlan[row] = protocolVlan >>> 16;
    const queueCaplen = words[word + PACKET.queue / 4] as number;
    columns.queue[row] = queueCaplen & 0xffff;
    columns.capturedLength[row] = (queueCaplen >>> 16) & 0xff;
    columns.indexInPoll[row] = queueCaplen >>> 24;
    columns.flags[row] = flags & PACKET_FLAG.PACKET_FRAGS ? PACKET_AT_ETHERNET : 0;
    const from = word + PACKET.header / 4;
    const to = row * HEADER_WORDS;
    // Bytes behind the record's end are not the packet's; nobody looks at them, capturedLength says so.
    const stamped = (flags & PACKET_FLAG.PACKET_HARDWARE) !== 0;
    const copied = stamped ? HEADER_WORDS : ((words[word] as number) >>> 18) - PACKET.header / 4;
    for (let i = 0; i < copied; i++) columns.header[to + i] = words[from + i] as number;
    if (stamped) this.onHardware(lane, row, words, word + PACKET.hardware / 4);
    if (!(flags & PACKET_FLAG.PACKET_OPENED)) lane.openFrom = lane.count;
  }

  poll(lane: Lane, words: Uint32Array, word: number): void {
    const row = lane.addPoll();
    const columns = lane.polls;
    const flags = ((words[word] as number) >>> 8) & 0xff;
    const caused = (flags & POLL_FLAG.POLL_CAUSED) !== 0;
    const causeFlags = words[word + (C + CAUSE.flags) / 4] as number;
    columns.times[HARDWARE_STAGE]![row] = Number.NaN;
    columns.times[ENTRY]![row] = caused ? this.stamp(words, word, C + CAUSE.entry) : Number.NaN;
    columns.times[ISR]![row] = caused ? this.stamp(words, word, C + CAUSE.isr) : Number.NaN;
    columns.times[RAISE]![row] = caused ? this.stamp(words, word, C + CAUSE.raise) : Number.NaN;
    const softirq = this.stamp(words, word, B + BEGUN.softirq);
    // An interrupt that came while NET_RX was running: that softirq polls the NAPI too, and none starts for it.
    const [isr, entry] = [columns.times[ISR]![row], columns.times[ENTRY]![row]];
    const before = caused && (softirq < isr || softirq < entry);
    columns.times[SOFTIRQ]![row] = before ? Number.NaN : softirq;
    columns.times[POLL_STAGE]![row] = this.stamp(words, word, B + BEGUN.start);
    columns.end[row] = this.time(words, word, POLL_LAYOUT.end);
    columns.previousEnd[row] = this.stamp(words, word, B + BEGUN.previousEnd);
    columns.irq[row] = words[word + (caused ? C + CAUSE.irq : POLL_LAYOUT.irq) / 4] as number;
    const seat = words[word + (C + CAUSE.seat) / 4] as number;
    columns.vector[row] = caused ? seat & 0xffff : 0;
    columns.irqCpu[row] = caused ? seat >>> 16 : 0;
    columns.again[row] = caused ? (words[word + (C + CAUSE.again) / 4] as number) : 0;
    const packets = words[word + (B + BEGUN.packets) / 4] as number;
    columns.packets[row] = words[word + (B + BEGUN.seen) / 4] as number;
    columns.work[row] = (words[word + POLL_LAYOUT.work / 4] as number) | 0;
    columns.budget[row] = (words[word + POLL_LAYOUT.budget / 4] as number) | 0;
    columns.previousWork[row] = (words[word + (B + BEGUN.previousWork) / 4] as number) | 0;
    columns.napiId[row] = words[word + POLL_LAYOUT.napiId / 4] as number;
    columns.empty[row] = this.stamp(words, word, B + BEGUN.empty);
    columns.context[row] = (words[word + POLL_LAYOUT.context / 4] as number) & 0xff;
    columns.pid[row] = words[word + (B + BEGUN.pid) / 4] as number;
    columns.flags[row] =
      (caused ? POLL.CAUSED : 0) |
      (caused && causeFlags & CAUSE_FLAG.CAUSE_MISSED ? POLL.MISSED : 0) |
      (flags & POLL_FLAG.POLL_AMBIGUOUS ? POLL.AMBIGUOUS : 0);
    lane.closePoll(row, packets);
  }

  /** A record about something behind the driver stage, from the ring of `cpu`. The result is used again. */
  later(words: Uint32Array, word: number, cpu: number): LaterRecord {
    const record = this.record;
    const what = ((words[word] as number) >>> 8) & 0xff;
    const known = LATER_OF[what] as readonly [LaterRecord['what'], number];
    const originFlags = words[word + STAGE.origin / 4] as number;
    record.what = known[0];
    record.stage = known[1];
    record.time = this.time(words, word, STAGE.time);
    record.cpu = cpu;
    record.origin = originFlags & 0xffff;
    record.sequence = words[word + STAGE.sequence / 4] as number;
    record.check = words[word + STAGE.check / 4] as number;
    record.entered = ((originFlags >>> 16) & LATER_FLAG.LATER_ENTERED) !== 0;
    record.pid = 0;
    record.tid = 0;
    if (what === LATER_KIND.LATER_TCP_SOCKET) record.sock = this.skb(words, word, QUEUED.sock);
    else if (what === LATER_KIND.LATER_READ || what === LATER_KIND.LATER_RELEASED) {
      record.pid = words[word + READ.pid / 4] as number;
      record.bytes = words[word + READ.bytes / 4] as number;
      this.task(words, word, READ.tid, READ.name);
    } else if (what === LATER_KIND.LATER_DROP) record.reason = words[word + DROP.reason / 4] as number;
    else if (what === LATER_KIND.LATER_WOKEN) this.task(words, word, WOKEN.tid, WOKEN.name);
    else if (what === LATER_KIND.LATER_MERGED || what === LATER_KIND.LATER_COALESCED) {
      const into = (words[word + MERGED.intoOrigin / 4] as number) & 0xffff;
      record.intoOrigin = into === 0xffff ? -1 : into;
      record.intoSequence = words[word + MERGED.intoSequence / 4] as number;
    }
    return record;
  }

  /** A record about a TCP socket. The result is used again. */
  stream(words: Uint32Array, word: number, cpu: number): LaterRecord {
    const record = this.record;
    const what = ((words[word] as number) >>> 8) & 0xff;
    record.what = what === STREAM_WHAT.STREAM_READ ? LATER.tcpRead : LATER.tcpClosed;
    record.time = this.time(words, word, STREAM.time);
    record.cpu = cpu;
    record.sock = this.skb(words, word, STREAM.sock);
    record.copied = words[word + STREAM.copied / 4] as number;
    record.pid = words[word + STREAM.pid / 4] as number;
    this.task(words, word, STREAM.tid, STREAM.name);
    return record;
  }

  /** Thread and its name: the same bytes again are the same text again. */
  private task(words: Uint32Array, word: number, tidOffset: number, nameOffset: number): void {
    const tid = words[word + tidOffset / 4] as number;
    const at = word + nameOffset / 4;
    const [a, b, c, d] = [words[at]!, words[at + 1]!, words[at + 2]!, words[at + 3]!];
    let known = this.names.get(tid);
    if (known === undefined || known.a !== a || known.b !== b || known.c !== c || known.d !== d) {
      const bytes = new Uint8Array(words.buffer, words.byteOffset + at * 4, LIMITS.TASK_NAME_BYTES);
      known = { a, b, c, d, name: cText(bytes) };
      this.names.set(tid, known);
    }
    this.record.tid = tid;
    this.record.name = known.name;
  }

  interrupt(words: Uint32Array, word: number): InterruptRecord {
    const vectorCpu = words[word + IRQ.vector / 4] as number;
    return {
      irq: words[word + IRQ.irq / 4] as number,
      vector: vectorCpu & 0xffff,
      cpu: vectorCpu >>> 16,
      entry: this.stamp(words, word, IRQ.entry),
      claim: this.stamp(words, word, IRQ.claim),
      isr: this.stamp(words, word, IRQ.isr),
      exit: this.stamp(words, word, IRQ.exit),
      napiId: words[word + IRQ.scheduled / 4] as number,
    };
  }
}
