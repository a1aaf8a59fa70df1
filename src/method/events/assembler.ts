/**
 * A stream of kernel events, each of one CPU, into records: for methods that give events one by one (ftrace, perf, text
 * of either). Cast: {@link Assembler.isr} and its neighbours are told what happened, in the order of each CPU; an
 * interrupt is known when its last stage was seen; packets are rows at once, and the end of their poll ties them to it and
 * to the interrupt that led to it. What events cannot tell (which NAPI instance an interrupt scheduled) is inferred, and
 * the rules of arrival know that it is.
 */
import { CONTEXT, type Lane, PacketColumns, POLL } from '../../record/lane.js';
import { LATER, LaterRecord, SEQUENCE_BITS } from '../../record/later.js';
import type { InterruptRecord, Listened, WantedIrq } from '../../record/source.js';
import { stageIndex } from '../../stages.js';
import { Pending } from './causes.js';
import { clearPacket, clearPoll } from './rows.js';

const ENTRY = stageIndex('entry');
const ISR = stageIndex('isr');
const RAISE = stageIndex('raise');
const SOFTIRQ = stageIndex('softirq');
const STACK = stageIndex('stack');

const SEQUENCE_MASK = 2 ** SEQUENCE_BITS - 1;
/** Packets that may be between driver and stack at once; the oldest is forgotten. */
const MOST_UNDERWAY = 65_536;

/** Where the records go; a source is one. */
export interface Sink {
  readonly lanes: readonly Lane[];
  onLater: (record: LaterRecord) => void;
  onInterrupt: (interrupt: InterruptRecord) => void;
}

/** What the assembler must know of the machine and of the method. */
export interface Assembled extends Listened {
  /** Interfaces that packets are wanted of, by name; undefined: all. */
  readonly names: ReadonlyMap<string, number> | undefined;
  /** The last stage of an interrupt that this method stamps: its record is complete then. */
  readonly lastOfInterrupt: 'entry' | 'isr' | 'exit';
  /** False: which IRQs are wanted is not known; every interrupt that is seen is a wanted one. */
  readonly irqsTold?: boolean;
  /** True: packets come in NAPI polls although no interrupt is known beforehand. */
  readonly polls?: boolean;
  /** Name of a thread, undefined where it is not known. */
  readonly taskName?: (pid: number) => string | undefined;
}

/** A packet at the driver stage. */
export interface PacketEvent {
  /** Address of its skb, any number that stands for it until it is freed. */
  readonly skb: number;
  readonly device: string;
  readonly length: number;
  readonly hash: number;
  /** Host order, 0: not told. */
  readonly protocol: number;
  readonly vlan: number;
  /** Receive queue + 1, 0: not recorded. */
  readonly queue: number;
}

/** The end of a NAPI poll. */
export interface PollEvent {
  /** Address of the NAPI instance, or any number that stands for it. */
  readonly napi: number;
  readonly device: string;
  readonly work: number;
  readonly budget: number;
  /** Thread that polled, 0: the idle task. */
  readonly pid: number;
}

/** An interrupt that is running on a CPU. */
interface Running {
  irq: number;
  vector: number;
  entry: number;
  claim: number;
  isr: number;
  raise: number;
}

/** What is open on one CPU. */
interface Cpu {
  running: Running | undefined;
  readonly pending: Pending;
  softirq: number;
  first: number;
  last: number;
  queue: number;
  packets: number;
}

/** One NAPI instance, by its address. */
interface Napi {
  begin: number;
  previousEnd: number;
  previousWork: number;
  endCpu: number;
  empty: number;
  irq: number;
  queue: number;
  several: boolean;
}

/** Takes events, fills a sink. */
export class Assembler {
  private readonly sink: Sink;
  private readonly how: Assembled;
  private irqs = new Map<number, WantedIrq>();
  private oneQueue: boolean;
  private readonly cpus: (Cpu | undefined)[] = [];
  private readonly napis = new Map<number, Napi>();
  private readonly underway = new Map<number, { readonly cpu: number; readonly sequence: number }>();
  private readonly later = new LaterRecord();

  constructor(sink: Sink, how: Assembled) {
    this.sink = sink;
    this.how = how;
    this.oneQueue = how.oneQueue;
    this.follow(how);
  }

  /** A CPU that has a lane; a source may get lanes as it learns of CPUs. */
  private at(cpu: number): Cpu | undefined {
    const known = this.cpus[cpu];
    if (known !== undefined || this.sink.lanes[cpu] === undefined) return known;
    const none = Number.NaN;
    const fresh = { softirq: none, first: none, last: none, queue: 0, packets: 0 };
    return (this.cpus[cpu] = { ...fresh, running: undefined, pending: new Pending() });
  }

  /** Listens to these interrupts from now on. */
  follow({ irqs, oneQueue }: Listened): void {
    this.irqs = new Map(irqs.map((one) => [one.irq, one]));
    this.oneQueue = oneQueue;
  }

  private hasPolls(): boolean {
    return this.how.polls ?? this.irqs.size > 0;
  }

  private wanted(irq: number): boolean {
    return this.how.irqsTold === false || this.irqs.has(irq);
  }

  /**
   * A hard interrupt has begun. Called once with what the earliest hook knows (a vector), and again by a hook that
   * knows more (the line): the first time stays the entry, the second is the claim.
   * @param irq -1: not known here
   * @param vector 0: not known here
   */
  entry(cpu: number, time: number, irq = -1, vector = 0): void {
    const at = this.at(cpu);
    if (at === undefined) return;
    const { running } = at;
    if (irq >= 0 && running !== undefined && running.irq < 0 && Number.isNaN(running.isr)) {
      running.irq = irq;
      running.claim = time;
    } else {
      at.running = { irq, vector, entry: time, claim: Number.NaN, isr: Number.NaN, raise: Number.NaN };
    }
    if (irq >= 0 && !this.wanted(irq)) at.running = undefined;
    else if (this.how.lastOfInterrupt === 'entry' && (irq >= 0 || this.how.irqsTold === false))
      this.finish(cpu, at, Number.NaN);
  }

  /** A handler of a line begins. @param irq -1: the hook does not tell */
  isr(cpu: number, time: number, irq: number): void {
    const at = this.at(cpu);
    if (at === undefined) return;
    const { running } = at;
    if (!this.wanted(irq)) {
      at.running = undefined;
      return;
    }
    // Another handler of the same interrupt: a shared line.
    if (running !== undefined && running.irq === irq && !Number.isNaN(running.isr)) return;
    if (running === undefined || (running.irq >= 0 && running.irq !== irq)) {
      const none = Number.NaN;
      at.running = { irq, vector: 0, entry: none, claim: none, isr: time, raise: none };
    } else {
      running.irq = irq;
      running.isr = time;
    }
    if (this.how.lastOfInterrupt === 'isr') this.finish(cpu, at, Number.NaN);
  }

  /** The NET_RX softirq is raised. */
  raise(cpu: number, time: number): void {
    const running = this.at(cpu)?.running;
    if (running !== undefined && !Number.isNaN(running.isr) && Number.isNaN(running.raise))
      running.raise = time;
  }

  /** A handler of a line is done. */
  exit(cpu: number, time: number, irq: number): void {
    const at = this.at(cpu);
    if (at?.running?.irq !== irq || Number.isNaN(at.running.isr)) return;
    this.finish(cpu, at, time);
  }

  private finish(cpu: number, at: Cpu, exit: number): void {
    const running = at.running as Running;
    at.running = undefined;
    const { irq, vector, entry, claim, isr, raise } = running;
    this.sink.onInterrupt({ irq, vector, cpu, entry, claim, isr, exit, napiId: 0 });
    if (Number.isNaN(isr)) return;
    const line = this.irqs.get(irq);
    // Any device's: only one that raised NET_RX can have brought packets.
    if (line === undefined && Number.isNaN(raise)) return;
    const queue = line?.queue === undefined ? 0 : line.queue + 1;
    const ifindex = line?.ifindex ?? 0;
    at.pending.add({ irq, vector, cpu, ifindex, queue, entry, claim, isr, raise, latest: isr, again: 0 });
  }

  /** The NET_RX softirq begins. */
  softirq(cpu: number, time: number): void {
    const at = this.at(cpu);
    if (at !== undefined) at.softirq = time;
  }

  /** The NET_RX softirq is over. */
  softirqExit(cpu: number): void {
    const at = this.at(cpu);
    if (at !== undefined) at.softirq = Number.NaN;
  }

  /** The driver hands a packet over. @returns false where it is of no wanted interface */
  packet(cpu: number, time: number, event: PacketEvent): boolean {
    const at = this.at(cpu);
    if (at === undefined || (this.how.names !== undefined && !this.how.names.has(event.device))) return false;
    const lane = this.sink.lanes[cpu] as Lane;
    const hasPolls = this.hasPolls();
    const row = lane.addPacket();
    const { packets } = lane;
    clearPacket(packets, row, hasPolls ? PacketColumns.OPEN : PacketColumns.NONE);
    packets.times[0]![row] = time;
    packets.skb[row] = event.skb;
    packets.length[row] = event.length;
    packets.hash[row] = event.hash;
    packets.protocol[row] = event.protocol;
    packets.vlan[row] = event.vlan;
    packets.queue[row] = event.queue;
    if (!hasPolls) lane.openFrom = lane.count;
    if (Number.isNaN(at.first)) at.first = time;
    at.last = time;
    at.queue = event.queue;
    at.packets++;
    this.underway.delete(event.skb);
    this.underway.set(event.skb, { cpu, sequence: (lane.dropped + row) & SEQUENCE_MASK });
    if (this.underway.size > MOST_UNDERWAY) this.underway.delete(this.underway.keys().next().value as number);
    return true;
  }

  /** A packet reaches __netif_receive_skb_core. */
  stack(cpu: number, time: number, skb: number): void {
    const packet = this.underway.get(skb);
    if (packet === undefined) return;
    this.underway.delete(skb);
    const { later } = this;
    later.what = LATER.stamp;
    later.stage = STACK;
    later.time = time;
    later.cpu = cpu;
    later.origin = packet.cpu;
    later.sequence = packet.sequence;
    later.check = 0;
    later.entered = true;
    this.sink.onLater(later);
  }

  /** A NAPI poll is over. */
  pollEnd(cpu: number, time: number, event: PollEvent): void {
    const at = this.at(cpu);
    const ifindex = this.how.names?.get(event.device) ?? 0;
    // netpoll looks for transmit completions only, with a budget of 0.
    if (at === undefined || event.budget === 0 || (this.how.names !== undefined && ifindex === 0)) return;
    const napi = this.napi(event.napi);
    const inSoftirq = !Number.isNaN(at.softirq);
    const { first, queue, packets, softirq } = at;
    const taken = at.pending.take({ ifindex, queue, first, softirq, previousBegin: napi.begin });
    if (taken !== undefined) napi.irq = taken.cause.irq;
    if (packets > 0 && this.hasPolls()) {
      const lane = this.sink.lanes[cpu] as Lane;
      const row = lane.addPoll();
      const columns = lane.polls;
      clearPoll(columns, row);
      columns.end[row] = time;
      columns.previousEnd[row] = napi.previousEnd < first ? napi.previousEnd : Number.NaN;
      columns.previousWork[row] = napi.previousWork;
      columns.packets[row] = packets;
      columns.work[row] = event.work;
      columns.budget[row] = event.budget;
      columns.pid[row] = event.pid;
      columns.empty[row] = napi.empty < first ? napi.empty : Number.NaN;
      columns.irq[row] = napi.irq;
      columns.context[row] = this.context(inSoftirq, event.pid);
      const cause = taken?.cause;
      columns.times[SOFTIRQ]![row] = cause !== undefined && softirq < cause.isr ? Number.NaN : softirq;
      if (cause !== undefined) {
        columns.times[ENTRY]![row] = cause.entry;
        columns.times[ISR]![row] = cause.isr;
        columns.times[RAISE]![row] = cause.raise;
        columns.vector[row] = cause.vector;
        columns.irqCpu[row] = cause.cpu;
        columns.again[row] = cause.again;
        columns.flags[row] = POLL.CAUSED | (taken?.ambiguous === true ? POLL.AMBIGUOUS : 0);
      }
      lane.closePoll(row, packets);
    }
    this.lookBack(napi, at, cpu, event);
    if (packets > 0) napi.begin = first;
    napi.previousEnd = time;
    napi.previousWork = event.work;
    napi.endCpu = cpu;
    at.first = at.last = Number.NaN;
    at.packets = at.queue = 0;
  }

  private napi(address: number): Napi {
    let napi = this.napis.get(address);
    if (napi === undefined) {
      const none = Number.NaN;
      napi = {
        begin: none,
        previousEnd: none,
        previousWork: 0,
        endCpu: -1,
        empty: none,
        irq: 0,
        queue: 0,
        several: false,
      };
      this.napis.set(address, napi);
    }
    return napi;
  }

  /** Since when the queue is known to have been empty; the reasons are with known_empty in bpf/poll.bpf.h. */
  private lookBack(napi: Napi, at: Cpu, cpu: number, { work, budget }: PollEvent): void {
    if (work >= budget - 1) return;
    if (at.queue !== 0) {
      if (napi.queue !== 0 && napi.queue !== at.queue) napi.several = true;
      napi.queue = at.queue;
    }
    let since = napi.endCpu === cpu ? napi.previousEnd : Number.NaN;
    if (at.packets > 0 && this.oneQueue && !napi.several) since = at.last;
    if (!(since <= napi.empty)) napi.empty = Number.isNaN(since) ? napi.empty : since;
  }

  private context(inSoftirq: boolean, pid: number): number {
    const name = pid === 0 ? '' : (this.how.taskName?.(pid) ?? '');
    if (inSoftirq) return name.startsWith('ksoftirqd/') ? CONTEXT.ksoftirqd : CONTEXT.softirq;
    if (name.startsWith('napi/')) return CONTEXT.threaded;
    return CONTEXT.busyPoll;
  }

  /** Events of a CPU were lost: what is open there is not tied to what comes. */
  gap(cpu: number): void {
    const at = this.at(cpu);
    if (at === undefined) return;
    at.running = undefined;
    at.pending.clear();
    at.softirq = at.first = at.last = Number.NaN;
    at.packets = at.queue = 0;
    const lane = this.sink.lanes[cpu] as Lane;
    lane.abandonOpen(lane.count);
    for (const napi of this.napis.values()) {
      if (napi.endCpu === cpu) napi.begin = napi.previousEnd = napi.empty = Number.NaN;
    }
  }
}
