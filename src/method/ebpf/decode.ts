/**
 * Ring records into lanes: the hot path of the reader. Typed arrays in, typed arrays out; no object, closure or BigInt
 * per record. Times are subtracted in 32-bit halves, so they are exact at any uptime.
 */
import {
  HARDWARE_STAGE,
  HEADER_WORDS,
  type Lane,
  PACKET_AT_ETHERNET,
  PacketColumns,
  POLL,
} from '../../record/lane.js';
import type { InterruptRecord, RecordSource } from '../../record/source.js';
import { stageIndex } from '../../stages.js';
import {
  CAUSE,
  CAUSE_FLAG,
  IRQ,
  PACKET,
  PACKET_FLAG,
  POLL as POLL_LAYOUT,
  POLL_FLAG,
  STAGE,
} from './layout.gen.js';

const HALF = 4_294_967_296;
const ENTRY = stageIndex('entry');
const ISR = stageIndex('isr');
const RAISE = stageIndex('raise');
const SOFTIRQ = stageIndex('softirq');
const POLL_STAGE = stageIndex('poll');
const C = POLL_LAYOUT.cause;

/** Decodes records relative to one base. */
export class Decoder {
  /** Called for a packet with the NIC's own stamp, which lies at word `at`. */
  onHardware: (lane: Lane, row: number, words: Uint32Array, at: number) => void = () => {};
  private readonly baseHigh: number;
  private readonly baseLow: number;

  /** @param base CLOCK_MONOTONIC nanoseconds */
  constructor(base: bigint) {
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
    for (let i = 1; i < columns.times.length; i++) columns.times[i]![row] = Number.NaN;
    columns.hardware[row] = Number.NaN;
    columns.hardwareError[row] = Number.NaN;
    columns.poll[row] = flags & PACKET_FLAG.PACKET_OPENED ? PacketColumns.OPEN : PacketColumns.NONE;
    columns.length[row] = words[word + PACKET.len / 4] as number;
    columns.skb[row] = this.skb(words, word, PACKET.skb);
    columns.hash[row] = words[word + PACKET.hash / 4] as number;
    const protocolVlan = words[word + PACKET.protocol / 4] as number;
    columns.protocol[row] = ((protocolVlan & 0xff) << 8) | ((protocolVlan >>> 8) & 0xff);
    columns.vlan[row] = protocolVlan >>> 16;
    columns.napiId[row] = words[word + PACKET.napiId / 4] as number;
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
    const softirq = this.stamp(words, word, POLL_LAYOUT.softirq);
    // An interrupt that came while NET_RX was running: that softirq polls the NAPI too, and none starts for it.
    const [isr, entry] = [columns.times[ISR]![row], columns.times[ENTRY]![row]];
    const before = caused && (softirq < isr || softirq < entry);
    columns.times[SOFTIRQ]![row] = before ? Number.NaN : softirq;
    columns.times[POLL_STAGE]![row] = this.stamp(words, word, POLL_LAYOUT.start);
    columns.claim[row] = caused ? this.stamp(words, word, C + CAUSE.claim) : Number.NaN;
    columns.end[row] = this.time(words, word, POLL_LAYOUT.end);
    columns.previousEnd[row] = this.stamp(words, word, POLL_LAYOUT.previousEnd);
    columns.irq[row] = words[word + (caused ? C + CAUSE.irq : POLL_LAYOUT.irq) / 4] as number;
    const vectorCpu = words[word + (C + CAUSE.vector) / 4] as number;
    columns.vector[row] = caused ? vectorCpu & 0xffff : 0;
    columns.irqCpu[row] = caused ? vectorCpu >>> 16 : 0;
    columns.again[row] = caused ? (words[word + (C + CAUSE.again) / 4] as number) : 0;
    const packets = words[word + POLL_LAYOUT.packets / 4] as number;
    const lost = words[word + POLL_LAYOUT.lost / 4] as number;
    columns.packets[row] = words[word + POLL_LAYOUT.seen / 4] as number;
    columns.work[row] = (words[word + POLL_LAYOUT.work / 4] as number) | 0;
    columns.budget[row] = (words[word + POLL_LAYOUT.budget / 4] as number) | 0;
    columns.previousWork[row] = (words[word + POLL_LAYOUT.previousWork / 4] as number) | 0;
    columns.napiId[row] = words[word + POLL_LAYOUT.napiId / 4] as number;
    columns.ifindex[row] = words[word + POLL_LAYOUT.ifindex / 4] as number;
    columns.empty[row] = this.stamp(words, word, POLL_LAYOUT.empty);
    columns.context[row] =
      ((words[word + (POLL_LAYOUT.context >>> 2)] as number) >>> (8 * (POLL_LAYOUT.context & 3))) & 0xff;
    columns.pid[row] = words[word + POLL_LAYOUT.pid / 4] as number;
    columns.lost[row] = lost;
    columns.flags[row] =
      (caused ? POLL.CAUSED : 0) |
      (caused && causeFlags & CAUSE_FLAG.CAUSE_MISSED ? POLL.MISSED : 0) |
      (flags & POLL_FLAG.POLL_AMBIGUOUS ? POLL.AMBIGUOUS : 0);
    lane.closePoll(row, packets);
  }

  stage(words: Uint32Array, word: number, tell: RecordSource['onStage']): void {
    const stage = ((words[word] as number) >>> 8) & 0xff;
    const cpu = words[word + STAGE.cpu / 4] as number;
    tell(stage, this.skb(words, word, STAGE.skb), this.time(words, word, STAGE.time), cpu);
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
