/**
 * How a packet arrived, when, and how sure that is: the rules, in one pure place. docs/arrival.md states them for users
 * and proves them; test/model holds them against a NIC whose every packet's arrival is known.
 *
 * Arrival is the moment at which the NIC had made the packet visible in the host's memory: its descriptor was written.
 */
import {
  CONTEXT,
  FIRST_PACKET_STAGE,
  FIRST_POLL_STAGE,
  HARDWARE_STAGE,
  type Lane,
  PacketColumns,
  POLL,
} from '../record/lane.js';
import { stageIndex } from '../stages.js';
import { type ArrivalFacts, NO_FACTS, SLACK_NS } from './arrival/facts.js';
import { HOW, type How, RULE, RULES, type Rule } from './arrival/rules.js';

export { type ArrivalFacts, type IrqFacts, NO_FACTS, SLACK_NS } from './arrival/facts.js';
export { GROUNDS, HOW, HOW_NAMES, type How, RULE, RULES, type Rule, VIA_NAMES } from './arrival/rules.js';

const ISR = stageIndex('isr');
/** The table as columns: read once per packet. */
const HOW_OF = Uint8Array.from(RULES, ({ how }) => how);
const CERTAIN = RULES.map(({ certain }) => certain);
const RAISE = stageIndex('raise');

/** Stands on one packet of a lane. One object is moved along; nothing is allocated per packet. */
export class PacketCursor {
  lane!: Lane;
  row = 0;
  /** The first stage of packets that the method stamps: by it they are ordered. */
  firstStage: number = FIRST_PACKET_STAGE;
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
  rule: Rule = RULE.cut;
  /** Where its poll ran, index into {@link VIA_NAMES}. */
  via: number = CONTEXT.softirq;
  /** RPS moved it to another CPU behind the driver stage, where the trace looks that far. */
  rps = false;

  /** What the kernel's stamps alone would have given; only set where {@link arrivalStage} is the NIC's stamp. */
  readonly software = { arrival: 0, stage: FIRST_PACKET_STAGE, notBefore: Number.NaN, notAfter: 0 };

  /** Time at a stage by index, relative to base; NaN when it was not stamped. */
  stage(index: number): number {
    if (index >= FIRST_PACKET_STAGE) {
      return this.lane.packets.times[index - FIRST_PACKET_STAGE]![this.row] as number;
    }
    if (index < FIRST_POLL_STAGE) return this.lane.packets.hardware[this.row] as number;
    return this.poll < 0 ? Number.NaN : (this.lane.polls.times[index]![this.poll] as number);
  }
}

/** The earliest stage that was stamped of the interrupt and the poll, or the driver stage. */
function earliestStage(lane: Lane, poll: number): number {
  let stage = FIRST_POLL_STAGE;
  while (stage < FIRST_PACKET_STAGE && Number.isNaN(lane.polls.times[stage]![poll])) stage++;
  return stage;
}

/** Which own-irq a poll's first packet is; the interrupt's stamp `entry` is of `stage`. */
function ownRule(cursor: PacketCursor, facts: ArrivalFacts, stage: number, entry: number): Rule {
  const { lane, row, poll } = cursor;
  const { polls } = lane;
  const irq = facts.irqs.get(polls.irq[poll] as number);
  if (((polls.flags[poll] as number) & POLL.AMBIGUOUS) !== 0) return RULE.ownInferred;
  if (irq === undefined || stage > ISR) return RULE.ownUnmoderated;
  if (!facts.tied && (irq.queue === undefined || lane.packets.queue[row] !== irq.queue + 1))
    return RULE.ownInferred;
  if (!irq.receiveOnly || irq.sharedLine) return RULE.ownMixed;
  if (irq.selfRaised) return RULE.ownSelfRaised;
  if (polls.work[poll] !== cursor.n) return RULE.ownUncounted;
  if (irq.moderationNs === undefined) return RULE.ownUnmoderated;
  // Without a poll before it the comparison is with NaN: false.
  const leftoverUntil = (polls.previousEnd[poll] as number) + irq.moderationNs + facts.wakeNs + SLACK_NS;
  return entry > leftoverUntil ? RULE.own : RULE.ownSoon;
}

/** Where no interrupt was found, and they are tied to polls by inference: whether one would have been found. */
function inferredRule({ lane, row, poll, via }: PacketCursor, facts: ArrivalFacts): Rule {
  if (facts.tied) return RULE.maskedInferred;
  const line = facts.irqs.get(lane.polls.irq[poll] as number);
  const byQueue = facts.lines <= 1 || (lane.packets.queue[row] !== 0 && line?.queue !== undefined);
  return byQueue && via !== CONTEXT.threaded ? RULE.maskedInferred : RULE.untold;
}

/** The rule for a packet of a poll that an interrupt led to, or may have: see docs/arrival.md. */
function causedRule(cursor: PacketCursor, facts: ArrivalFacts, stage: number, entry: number): Rule {
  const { polls } = cursor.lane;
  const { poll } = cursor;
  const flags = polls.flags[poll] as number;
  const exact = facts.tied && facts.starts;
  // NaN where none was seen, or it has not ended yet on its CPU.
  const previousEnd = polls.previousEnd[poll] as number;
  const before = !Number.isNaN(previousEnd);
  const idle = exact && (flags & POLL.MISSED) === 0 && entry > previousEnd;
  // The NAPI instance stays scheduled then, so no interrupt can have done that.
  if (!idle && before && (polls.previousWork[poll] as number) >= (polls.budget[poll] as number))
    return RULE.repoll;
  if (entry <= (polls.empty[poll] as number)) {
    if (exact) return RULE.emptyAfter;
    // The first one's times are kept: a later one of the same line may have led here.
    return polls.again[poll] === 0 ? RULE.maskedInferred : RULE.untold;
  }
  // Without a poll before it, the one that the trace just missed may have been this interrupt's.
  if ((flags & POLL.MISSED) !== 0) return before ? RULE.missed : RULE.cut;
  // It came before the poll before was seen to end and raised no softirq: as that poll ran (NAPIF_STATE_MISSED), or behind
  // its completion, while the softirq still ran (____napi_schedule raises none then).
  if (!facts.tied && Number.isNaN(polls.times[RAISE]![poll]) && entry <= previousEnd) return RULE.untold;
  if (cursor.k === 1) return ownRule(cursor, facts, stage, entry);
  return idle ? RULE.batch : RULE.batchInferred;
}

/** The rule for a packet of a poll that no interrupt was seen to lead to. */
function uncausedRule(cursor: PacketCursor, facts: ArrivalFacts): Rule {
  const { poll } = cursor;
  const { polls } = cursor.lane;
  // Without an end of its NAPI's poll before, the interrupt may have come before the hooks were there.
  if (Number.isNaN(polls.previousEnd[poll])) return RULE.cut;
  if ((polls.previousWork[poll] as number) >= (polls.budget[poll] as number)) return RULE.repoll;
  if (polls.irq[poll] === 0) return RULE.noIrqYet;
  return facts.tied && facts.starts ? RULE.masked : inferredRule(cursor, facts);
}

/** The rule for a packet whose `poll` is a marker. */
function withoutPoll(marker: number): Rule {
  if (marker === PacketColumns.NONE) return RULE.noIrq;
  return marker === PacketColumns.UNTOLD ? RULE.packetOnly : RULE.cut;
}

function decide(cursor: PacketCursor, facts: ArrivalFacts): Rule {
  const { lane, row } = cursor;
  const { polls } = lane;
  const poll = lane.packets.poll[row] as number;
  if (poll < 0) return withoutPoll(poll);
  cursor.poll = poll;
  cursor.k = lane.packets.indexInPoll[row] as number;
  cursor.n = polls.packets[poll] as number;
  cursor.notBefore = polls.empty[poll] as number;
  cursor.via = polls.context[poll] as number;
  if (cursor.via === CONTEXT.busyPoll) return RULE.busyPoll;
  if (((polls.flags[poll] as number) & POLL.CAUSED) === 0) return uncausedRule(cursor, facts);
  const stage = earliestStage(lane, poll);
  const entry = stage < FIRST_PACKET_STAGE ? (polls.times[stage]![poll] as number) : cursor.arrival;
  const rule = causedRule(cursor, facts, stage, entry);
  if ((HOW_OF[rule] as number) <= HOW.batch) {
    cursor.arrival = entry;
    cursor.arrivalStage = stage;
    if (rule === RULE.own) cursor.notAfter = entry;
  }
  return rule;
}

/** Fills in class, position, arrival and its bounds for the packet that the cursor stands on. */
export function classify(cursor: PacketCursor, facts: ArrivalFacts = NO_FACTS): void {
  const { lane, row } = cursor;
  const { packets } = lane;
  const first = packets.times[cursor.firstStage - FIRST_PACKET_STAGE]![row] as number;
  cursor.arrival = first;
  cursor.arrivalStage = cursor.firstStage;
  cursor.poll = -1;
  cursor.k = 0;
  cursor.n = 0;
  cursor.notBefore = Number.NaN;
  cursor.notAfter = first;
  cursor.via = CONTEXT.softirq;
  const stackCpu = packets.stackCpu[row] as number;
  cursor.rps = stackCpu !== 0 && stackCpu - 1 !== lane.cpu;
  const rule = decide(cursor, facts);
  cursor.rule = rule;
  cursor.how = HOW_OF[rule] as How;
  cursor.certain = CERTAIN[rule] as boolean;
  const hardware = packets.hardware[row] as number;
  if (!Number.isNaN(hardware)) useHardware(cursor, hardware, first);
}

/** The NIC's own stamp, where it is not proven wrong by lying behind the packet's first stamp of the kernel. */
function useHardware(cursor: PacketCursor, hardware: number, first: number): void {
  const error = cursor.lane.packets.hardwareError[cursor.row] as number;
  if (!(hardware - error <= first)) return;
  const { software } = cursor;
  software.arrival = cursor.arrival;
  software.stage = cursor.arrivalStage;
  software.notBefore = cursor.notBefore;
  software.notAfter = cursor.notAfter;
  cursor.arrival = hardware;
  cursor.arrivalStage = HARDWARE_STAGE;
  cursor.notBefore = hardware - error;
  cursor.notAfter = hardware + error;
}
