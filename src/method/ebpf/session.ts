/**
 * The eBPF method: open, configure, load, map, attach; then drain until stopped. Nothing is pinned and nothing of the
 * system is changed: when the process ends in whatever way, the kernel takes everything down.
 */
import { RxError } from '../../base/errors.js';
import { Lane } from '../../record/lane.js';
import type { Loss, LossCause } from '../../record/loss.js';
import type {
  BpfTime,
  FilterCounter,
  InterruptRecord,
  Listened,
  RecordSource,
  StageWay,
  TraceSource,
} from '../../record/source.js';
import { clockNow } from '../../sys/libc.js';
import { bpfTimeOf, programStats } from '../../sys/bpf-stats.js';
import { BpfObject, possibleCpus } from '../../sys/libbpf.js';
import { readObject } from '../../sys/package.js';
import type { CrossClock } from '../../sys/ptp.js';
import { Decoder } from './decode.js';
import { FULL, type Flavour, onKprobe } from './flavour.js';
import { IRQ_FILTER, KIND, LIMITS, LOSS } from './layout.gen.js';
import { HardwareStamps } from '../hardware.js';
import type { EbpfOptions } from './options.js';
import type { Plan } from './plan.js';
import { Rings } from './ring.js';
import { checkTracked, configure, decide, probeVariants } from './setup.js';
import { withFilter } from './slot.js';
import { type Mapping, mapShared } from '../../sys/libc.js';

export { type EbpfOptions, canCompare } from './options.js';
export { planFor } from './setup.js';

const COUNTERS: readonly [Exclude<keyof typeof LOSS, 'SIZE'>, LossCause][] = [
  ['packetsRingFull', 'ring_full'],
  ['stagesRingFull', 'stage_ring_full'],
  ['stagesRecursion', 'stage_recursion'],
  ['socketsEvicted', 'untracked'],
  ['irqsRingFull', 'irq_ring_full'],
  ['recursion', 'recursion'],
  ['hardwareLate', 'hw_stamp_form'],
  ['napiEvicted', 'map_full'],
];

/** What a session is made of; what must be closed is closed by it. */
interface Parts {
  readonly object: BpfObject;
  readonly rings: Rings;
  /** The map of wanted interrupts. */
  readonly filter: Mapping;
  readonly ringCount: number;
  readonly chosen: Plan;
  readonly reasons: ReadonlyMap<number, string>;
  readonly clock: CrossClock | undefined;
}

/** A running eBPF session. Errors: RXS_NO_BTF, RXS_NO_HOOK, RXS_BAD_OBJECT, RXS_BPF_LOAD, RXS_BPF_ATTACH. */
export class EbpfSession implements TraceSource {
  notes: readonly string[] = [];
  readonly base: bigint;
  readonly lanes: readonly Lane[];
  readonly ways: readonly StageWay[];
  drainedTo = 0;
  onLater: RecordSource['onLater'] = () => {};
  onInterrupt: (interrupt: InterruptRecord) => void = () => {};
  onLoss: (loss: Loss) => void = () => {};
  /** Called when the NIC's clock was set during the trace, with the nanoseconds. */
  onHardwareStep: (step: number) => void = () => {};

  private readonly decoder: Decoder;
  private readonly counted: Float64Array;
  private readonly missed = new Map<string, number>();
  private readonly ringCount: number;
  private readonly object: BpfObject;
  private readonly rings: Rings;
  private readonly filter: Mapping;
  private listened = new Set<number>();
  private readonly plan: Plan;
  private readonly hardware: HardwareStamps | undefined;
  private readonly reasons: ReadonlyMap<number, string>;

  private constructor({ object, rings, filter, ringCount, chosen, reasons, clock }: Parts) {
    this.reasons = reasons;
    this.object = object;
    this.rings = rings;
    this.filter = filter;
    this.ringCount = ringCount;
    this.plan = chosen;
    this.base = clockNow('mono');
    this.decoder = new Decoder(this.base, chosen.tracked, clock !== undefined);
    this.lanes = Array.from({ length: rings.cpus }, (_, cpu) => new Lane(cpu));
    this.hardware = clock === undefined ? undefined : new HardwareStamps(this.base, clock);
    const { hardware } = this;
    if (hardware !== undefined) {
      this.decoder.onHardware = (lane, row, words, at) => hardware.take(lane, row, words, at);
      hardware.onStep = (step) => this.onHardwareStep(step);
    }
    this.ways = chosen.ways;
    this.counted = new Float64Array(rings.cpus * COUNTERS.length);
  }

  /** Programs that are attached, by name. */
  get programs(): readonly string[] {
    return this.plan.programs;
  }

  /** Loads and attaches. When it returns, events are being recorded. */
  static start(options: EbpfOptions, flavour: Flavour = FULL): EbpfSession {
    const { chosen, castHeaders, reasons } = decide(options, flavour);
    const { filter } = options;
    const bytes = readObject('rxstamp.bpf.o');
    const object = BpfObject.open(filter ? withFilter(bytes, filter.code) : bytes, 'rxstamp.bpf.o');
    const opened: { close(): void }[] = [object];
    try {
      const programs = castHeaders ? chosen.programs : probeVariants(chosen.programs, object.programs());
      const cpus = possibleCpus();
      const ringCount = options.interrupts || chosen.tracked ? cpus * 2 : cpus;
      const chunks = options.ringBytes / LIMITS.CHUNK_BYTES;
      object.select(new Set(programs));
      object.resize('cpus', cpus);
      object.resize('scratch', filter ? cpus : 1);
      object.resize('tails', ringCount);
      object.resize('chunks', ringCount * chunks);
      if (chosen.tracked) {
        checkTracked(cpus);
        for (const table of ['packets', 'sockets']) object.resize(table, LIMITS.TRACKED_SETS);
      }
      configure(object.rodata(), options, chosen, cpus, chunks);
      object.load();
      const rings = new Rings(object, cpus, ringCount, chunks);
      opened.push(rings);
      const irqs = mapShared(object.mapFd('irqs'), LIMITS.MAX_IRQS * IRQ_FILTER.SIZE, 0, true);
      opened.push(irqs);
      const session = new EbpfSession({
        object,
        rings,
        filter: irqs,
        ringCount,
        chosen: { ...chosen, programs },
        reasons,
        clock: options.hardware?.clock,
      });
      session.follow(options);
      for (const cpu of options.cpus ?? []) rings.switchCpu(cpu, true);
      for (const program of programs) object.attach(program);
      session.notes = flavour.notes(object, session.plan);
      return session;
    } catch (error) {
      for (const one of opened.reverse()) one.close();
      throw error;
    }
  }

  /**
   * Listens to these interrupts of this interface from now on and to no others, without a gap for those that stay.
   * Errors: RXS_NO_IRQ for one that cannot be listened to; the others are.
   */
  follow(target: Listened): void {
    this.rings.follow(target.ifindex ?? 0, target.oneQueue);
    const words = new Uint32Array(this.filter.buffer);
    const all = target.irqs.map(({ irq }) => irq);
    const wanted = new Set(all.filter((irq) => irq < LIMITS.MAX_IRQS));
    for (const irq of this.listened) {
      if (!wanted.has(irq)) words[(irq * IRQ_FILTER.SIZE + IRQ_FILTER.wanted) / 4] = 0;
    }
    for (const { irq, ifindex, queue } of target.irqs) {
      if (irq >= LIMITS.MAX_IRQS) continue;
      const at = (irq * IRQ_FILTER.SIZE) / 4;
      // A line that several of them share: of any.
      const shared = target.irqs.some((one) => one.irq === irq && one.ifindex !== ifindex);
      words[at + IRQ_FILTER.ifindex / 4] = shared ? 0 : ifindex;
      words[at + IRQ_FILTER.queue / 4] = queue === undefined ? 0 : queue + 1;
      words[at + IRQ_FILTER.wanted / 4] = 1;
    }
    this.listened = wanted;
    const beyond = all.filter((irq) => irq >= LIMITS.MAX_IRQS);
    if (beyond.length === 0) return;
    throw new RxError('RXS_NO_IRQ', {
      doing: 'listening to IRQ',
      subject: beyond.join(', '),
      why: `numbers from ${LIMITS.MAX_IRQS} on do not fit the filter`,
      hint: 'trace another queue with --queue, or raise RX_MAX_IRQS in bpf/rxstamp.h and rebuild',
    });
  }

  drain(): number {
    const now = this.now();
    let records = 0;
    for (let ring = 0; ring < this.ringCount; ring++) records += this.rings.drain(ring, this.visit);
    this.hardware?.convert(now);
    this.readCounters(this.drainedTo, now);
    this.drainedTo = now;
    return records;
  }

  private readonly visit = (words: Uint32Array, word: number, kind: number, cpu: number): void => {
    const lane = this.lanes[cpu] as Lane;
    if (kind === KIND.PACKET) this.decoder.packet(lane, words, word);
    else if (kind === KIND.POLL) this.decoder.poll(lane, words, word);
    else if (kind === KIND.STAGE) this.onLater(this.decoder.later(words, word, cpu));
    else if (kind === KIND.STREAM) this.onLater(this.decoder.stream(words, word, cpu));
    else if (kind === KIND.IRQ) this.onInterrupt(this.decoder.interrupt(words, word));
  };

  /** As the kernel calls it, without the prefix that all share; a subsystem's by its number. */
  dropReasonName(reason: number): string | undefined {
    if (reason === 0) return undefined;
    if (reason >= 0x1_0000) return `subsystem ${reason >>> 16} reason ${reason & 0xffff}`;
    return this.reasons.get(reason)?.replace(/^SKB_DROP_REASON_/, '') ?? `reason ${reason}`;
  }

  bpfTime(): BpfTime {
    return bpfTimeOf(this.plan.programs.map((program) => this.object.programFd(program)));
  }

  /** Now, relative to base. */
  now(): number {
    return Number(clockNow('mono') - this.base);
  }

  private readCounters(from: number, to: number): void {
    const unconverted = this.hardware?.takeLost() ?? 0;
    if (unconverted > 0) this.onLoss({ cause: 'hw_stamp_clock', cpu: -1, count: unconverted, from, to });
    for (let cpu = 0; cpu < this.rings.cpus; cpu++) {
      for (const [index, [counter, cause]] of COUNTERS.entries()) {
        const value = this.rings.lossCounter(cpu, counter);
        const at = cpu * COUNTERS.length + index;
        const count = value - (this.counted[at] as number);
        if (count > 0) this.onLoss({ cause, cpu, count, from, to });
        this.counted[at] = value;
      }
    }
  }

  /** Packets that a filter of the kernel side stopped so far: each was seen, and took no room in a ring. */
  filtered(counter: FilterCounter): number {
    let sum = 0;
    for (let cpu = 0; cpu < this.rings.cpus; cpu++) sum += this.rings.filterCounter(cpu, counter);
    return sum;
  }

  stop(): void {
    const now = this.now();
    for (const program of this.plan.programs) {
      const skipped = programStats(this.object.programFd(program)).recursionMisses ?? 0;
      const missed = skipped + (this.object.linkMisses(program) ?? 0);
      const count = missed - (this.missed.get(program) ?? 0);
      const cause = onKprobe(program)
        ? 'probe_missed'
        : program.startsWith('packet_')
          ? 'missed_packet'
          : 'missed';
      if (count > 0) this.onLoss({ cause, cpu: -1, count, from: 0, to: now });
      this.missed.set(program, missed);
    }
    this.object.detach();
  }

  close(): void {
    this.filter.close();
    this.rings.close();
    this.object.close();
  }
}
