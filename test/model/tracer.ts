/**
 * What the BPF programs see of a machine: bpf/irq.bpf.h, bpf/schedule.bpf.h, bpf/packet.bpf.h and bpf/poll.bpf.h once more, function by
 * function and under the same names, with the decoder's reading of their records (src/method/ebpf/decode.ts) at the end.
 * A change there belongs here too: the model proves what is written here. Times are nanoseconds, 0: not stamped.
 */
import { CONTEXT, type Lane, PacketColumns, POLL } from '../../src/record/lane.js';
import { stageIndex } from '../../src/stages.js';
import type { Hooks } from './machine.js';

const ENTRY = stageIndex('entry');
const ISR = stageIndex('isr');
const RAISE = stageIndex('raise');
const SOFTIRQ = stageIndex('softirq');
const POLL_STAGE = stageIndex('poll');
const RX_PENDING = 4;

/** Ways to break the rule for `empty`, to see that the model notices. */
export type TracerFault =
  /** Packets of a list are taken for packets that came one by one. */
  | 'lists-as-single'
  /** Every NAPI instance is taken to serve one queue. */
  | 'queues-as-one'
  /** Every driver is taken to look again behind each packet. */
  | 'any-handover'
  /** A poll that returns budget - 1 is taken to have emptied its queue. */
  | 'whole-budget'
  /** A poll that has not ended yet leaves the end of the one before it in its place. */
  | 'overlaps-unseen'
  /** What the driver took but did not hand over is not noticed. */
  | 'invisible-unseen';

interface Cause {
  entry: number;
  isr: number;
  raise: number;
  irq: number;
  cpu: number;
  again: number;
  valid: boolean;
  missed: boolean;
}

const noCause = (): Cause => ({
  entry: 0,
  isr: 0,
  raise: 0,
  irq: 0,
  cpu: 0,
  again: 0,
  valid: false,
  missed: false,
});

/** struct rx_napi */
class Slot {
  cause = noCause();
  previousBegin = 0;
  previousEnd = 0;
  previousWork = 0;
  endCpu = -1;
  /** When the poll that has not ended yet was seen to begin, 0: none. */
  running = 0;
  empty = 0;
  irq = 0;
  queue = 0;
  several = false;
}

/** struct rx_pending */
interface Pending {
  readonly cause: Cause;
  latestIsr: number;
  readonly queue: number;
}

/** struct rx_open_poll */
class OpenPoll {
  start = 0;
  softirq = 0;
  last = 0;
  queue = 0;
  listed = false;
  cause: Cause | undefined;
  ambiguous = false;
  previousEnd = 0;
  previousWork = 0;
  empty = 0;
  number = 0;
  packets = 0;
  lost = 0;
  seen = 0;
  napi = 0;
  open = false;
}

/** struct rx_cpu */
class Cpu {
  softirq = 0;
  current: Cause | undefined;
  readonly poll = new OpenPoll();
  pending: Pending[] = [];
  pendingSlot: Pending | undefined;
}

/** When each hook is attached: in the order of src/method/ebpf/plan.ts. */
export interface AttachTimes {
  readonly interrupt: number;
  readonly softirq: number;
  readonly start: number;
  readonly end: number;
  readonly packet: number;
}

/** A packet as the driver hands it over. */
export interface SeenPacket {
  /** Its row in the truth. */
  readonly id: number;
  /** Receive queue + 1; 0: the driver does not record it. */
  readonly queue: number;
  readonly listed: boolean;
  /** It finds the trace's ring full. */
  readonly lost: boolean;
  readonly stackCpu: number;
}

/** The trace's programs on one machine. */
export class Tracer {
  private readonly cpus: Cpu[];
  private readonly slots = new Map<number, Slot>();
  private readonly lanes: readonly Lane[];
  private readonly hooks: Hooks;
  private readonly attached: AttachTimes;
  private readonly oneQueue: boolean;
  private readonly fault: TracerFault | undefined;

  constructor(
    lanes: readonly Lane[],
    hooks: Hooks,
    attached: AttachTimes,
    oneQueue: boolean,
    fault: TracerFault | undefined,
  ) {
    this.lanes = lanes;
    this.cpus = lanes.map(() => new Cpu());
    this.hooks = hooks;
    this.attached = attached;
    this.oneQueue = oneQueue;
    this.fault = fault;
  }

  private slot(napi: number): Slot {
    let slot = this.slots.get(napi);
    if (slot === undefined) this.slots.set(napi, (slot = new Slot()));
    return slot;
  }

  /** irq_enter, isr_claim (or irq_vector, isr_entry); `queue` is the line's receive queue + 1, 0: unknown. */
  isr(cpu: number, irq: number, queue: number, entry: number, isr: number): void {
    const at = this.cpus[cpu] as Cpu;
    at.current = undefined;
    if (entry < this.attached.interrupt) return;
    const { hooks } = this;
    at.current = { ...noCause(), entry: hooks.entry ? entry : 0, isr, irq, cpu };
    if (!hooks.prep) this.pend(at, queue);
  }

  private pend(at: Cpu, queue: number): void {
    const current = at.current as Cause;
    at.pendingSlot = undefined;
    const same = at.pending.find(({ cause }) => cause.irq === current.irq);
    if (same !== undefined) {
      same.cause.again++;
      same.latestIsr = current.isr;
      return;
    }
    if (at.pending.length === RX_PENDING) return;
    at.pendingSlot = { cause: { ...current, valid: true }, latestIsr: current.isr, queue };
    at.pending.push(at.pendingSlot);
  }

  /** napi_prep or softirq_raise, inside the handler. */
  raise(cpu: number, napi: number, scheduled: boolean, running: boolean, now: number): void {
    const at = this.cpus[cpu] as Cpu;
    if (at.current === undefined) return;
    if (!this.hooks.prep) {
      // Not for an instance that is scheduled already; nor while the softirq runs, since 6.4.
      if (!scheduled && !running && at.pendingSlot !== undefined && at.pendingSlot.cause.raise === 0)
        at.pendingSlot.cause.raise = now;
      return;
    }
    const slot = this.slot(napi);
    slot.irq = at.current.irq;
    if (scheduled && slot.cause.valid) {
      slot.cause.again++;
      return;
    }
    slot.cause = { ...at.current, raise: now, again: 0, valid: true, missed: scheduled };
  }

  softirq(cpu: number, now: number): void {
    if (now >= this.attached.softirq) (this.cpus[cpu] as Cpu).softirq = now;
  }

  private takeFromNapi(poll: OpenPoll, slot: Slot): void {
    if (!slot.cause.valid) return;
    poll.cause = slot.cause;
    slot.cause = noCause();
  }

  private takeFromPending(at: Cpu, queue: number, previousBegin: number, seen: number): void {
    const found: Pending[] = [];
    const ours = (slot: Pending): boolean => queue === 0 || slot.queue === 0 || slot.queue === queue;
    at.pending = at.pending.filter((slot) => !ours(slot) || slot.latestIsr >= previousBegin);
    for (const slot of at.pending.filter(ours)) {
      if (seen === 0 && at.softirq !== 0 && slot.cause.isr > at.softirq) continue;
      if (slot.cause.isr < previousBegin) {
        slot.cause.isr = slot.latestIsr;
        slot.cause.raise = 0;
      }
      found.push(slot);
    }
    const [first] = found.toSorted((a, b) => a.cause.isr - b.cause.isr);
    if (first === undefined) return;
    at.poll.cause = first.cause;
    at.poll.ambiguous = found.length > 1;
    at.pending.splice(at.pending.indexOf(first), 1);
  }

  private begin(at: Cpu, napi: number, queue: number, start: number, seen: number): void {
    const slot = this.slot(napi);
    const { poll } = at;
    poll.start = start;
    poll.softirq = at.softirq;
    poll.last = 0;
    poll.queue = 0;
    poll.listed = false;
    poll.cause = undefined;
    poll.ambiguous = false;
    poll.packets = 0;
    poll.lost = 0;
    poll.seen = 0;
    poll.napi = napi;
    poll.open = true;
    poll.previousEnd = slot.running !== 0 && this.fault !== 'overlaps-unseen' ? 0 : slot.previousEnd;
    poll.previousWork = slot.previousWork;
    poll.empty = slot.empty;
    // 0: it is over, and was not seen to begin.
    poll.number = seen;
    if (seen !== 0) slot.running = seen;
    if (this.hooks.prep) {
      // An empty poll is only seen when it is over: what came after its softirq began may be the next one's.
      if (seen !== 0 || slot.cause.raise <= at.softirq) this.takeFromNapi(poll, slot);
      return;
    }
    this.takeFromPending(at, queue, slot.previousBegin, seen);
    slot.irq = this.causeOf(poll)?.irq ?? slot.irq;
    if (seen !== 0) slot.previousBegin = seen;
  }

  private causeOf(poll: OpenPoll): Cause | undefined {
    return poll.cause;
  }

  /** fentry __napi_poll: every poll but a busy one. */
  pollStart(cpu: number, napi: number, now: number): void {
    if (!this.hooks.start || now < this.attached.start) return;
    this.begin(this.cpus[cpu] as Cpu, napi, 0, now, now);
  }

  /** @returns whether it was recorded */
  packet(cpu: number, napi: number, packet: SeenPacket, now: number): boolean {
    if (now < this.attached.packet) return false;
    const at = this.cpus[cpu] as Cpu;
    const { poll } = at;
    if (!poll.open || poll.napi !== napi) this.begin(at, napi, packet.queue, 0, now);
    poll.last = now;
    poll.queue = packet.queue;
    if (packet.listed) poll.listed = true;
    const place = ++poll.seen;
    if (packet.lost) {
      poll.lost++;
      return false;
    }
    poll.packets++;
    const lane = this.lanes[cpu] as Lane;
    const row = lane.addPacket();
    const { packets } = lane;
    for (const column of packets.times) column[row] = Number.NaN;
    packets.times[0]![row] = now;
    packets.hardware[row] = Number.NaN;
    packets.hardwareError[row] = Number.NaN;
    packets.poll[row] = PacketColumns.OPEN;
    packets.indexInPoll[row] = Math.min(place, 255);
    packets.skb[row] = packet.id;
    packets.queue[row] = packet.queue;
    packets.stackCpu[row] = packet.stackCpu;
    return true;
  }

  private knownEmpty(cpu: number, poll: OpenPoll, slot: Slot, work: number, budget: number): number {
    if (work < 0 || work >= (this.fault === 'whole-budget' ? budget : budget - 1)) return slot.empty;
    if (poll.last !== 0 && poll.queue !== 0) {
      if (slot.queue !== 0 && slot.queue !== poll.queue) slot.several = true;
      slot.queue = poll.queue;
    }
    let since = poll.start;
    // Only on one CPU is an end seen before the next poll starts.
    if (since === 0 && (slot.endCpu === cpu || this.fault === 'overlaps-unseen')) since = poll.previousEnd;
    const one = this.oneQueue && (!slot.several || this.fault === 'queues-as-one');
    if (poll.last !== 0 && one && (!poll.listed || this.fault === 'lists-as-single')) since = poll.last;
    return Math.max(since, slot.empty);
  }

  /** tp_btf napi_poll */
  pollEnd(
    cpu: number,
    napi: number,
    now: number,
    work: number,
    budget: number,
    context: (typeof CONTEXT)[keyof typeof CONTEXT],
  ): void {
    if (now < this.attached.end) return;
    const at = this.cpus[cpu] as Cpu;
    const { poll } = at;
    if (!poll.open || poll.napi !== napi) this.begin(at, napi, 0, 0, 0);
    const slot = this.slot(napi);
    if (poll.packets > 0 || poll.lost > 0) this.writePoll(cpu, poll, slot, now, work, budget, context);
    slot.empty = this.knownEmpty(cpu, poll, slot, work, budget);
    // Another one runs on another CPU already: what that leaves is newer.
    if (slot.running === poll.number || this.fault === 'overlaps-unseen') {
      slot.running = 0;
      slot.previousEnd = now;
      slot.previousWork = work;
      slot.endCpu = cpu;
    }
    poll.open = false;
  }

  private writePoll(
    cpu: number,
    poll: OpenPoll,
    slot: Slot,
    now: number,
    work: number,
    budget: number,
    context: number,
  ): void {
    const lane = this.lanes[cpu] as Lane;
    const row = lane.addPoll();
    const { polls } = lane;
    const { cause } = poll;
    const stamp = (time: number | undefined): number =>
      time === undefined || time === 0 ? Number.NaN : time;
    for (const column of polls.times) column[row] = Number.NaN;
    polls.times[ENTRY]![row] = stamp(cause?.entry);
    polls.times[ISR]![row] = stamp(cause?.isr);
    polls.times[RAISE]![row] = stamp(cause?.raise);
    const before = cause !== undefined && (poll.softirq < cause.isr || poll.softirq < cause.entry);
    polls.times[SOFTIRQ]![row] = before ? Number.NaN : stamp(poll.softirq);
    polls.times[POLL_STAGE]![row] = stamp(poll.start);
    polls.end[row] = now;
    polls.previousEnd[row] = stamp(poll.previousEnd);
    polls.empty[row] = stamp(this.fault === 'overlaps-unseen' ? slot.empty : poll.empty);
    polls.irq[row] = cause?.irq ?? slot.irq;
    polls.irqCpu[row] = cause?.cpu ?? 0;
    polls.again[row] = cause?.again ?? 0;
    polls.packets[row] = poll.seen;
    polls.work[row] = this.fault === 'invisible-unseen' ? poll.seen : work;
    polls.budget[row] = budget;
    polls.previousWork[row] = poll.previousWork;
    polls.napiId[row] = poll.napi;
    polls.context[row] = context;
    polls.flags[row] =
      (cause === undefined ? 0 : POLL.CAUSED) |
      (cause?.missed ? POLL.MISSED : 0) |
      (poll.ambiguous ? POLL.AMBIGUOUS : 0);
    lane.closePoll(row, poll.packets);
  }
}
