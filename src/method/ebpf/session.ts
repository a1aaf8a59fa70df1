/**
 * The eBPF method: open, configure, load, map, attach; then drain until stopped. Nothing is pinned and nothing of the
 * system is changed: when the process ends in whatever way, the kernel takes everything down.
 */
import { RxError } from '../../base/errors.js';
import { hookProbe } from '../../feature/hooks.js';
import { hostHooks } from '../../feature/host-hooks.js';
import { Lane } from '../../record/lane.js';
import type { Loss, LossCause } from '../../record/loss.js';
import type {
  FilterCounter,
  InterruptRecord,
  Listened,
  RecordSource,
  StageWay,
  TraceSource,
  WantedIrq,
} from '../../record/source.js';
import type { StageName } from '../../stages.js';
import { clockNow } from '../../sys/libc.js';
import { BpfObject, possibleCpus, programStats } from '../../sys/libbpf.js';
import { networkNamespace } from '../../sys/netns.js';
import { readObject } from '../../sys/package.js';
import type { CrossClock } from '../../sys/ptp.js';
import { Decoder } from './decode.js';
import { FULL, type Flavour, onKprobe } from './flavour.js';
import { CONFIG, IRQ_FILTER, KIND, LIMITS, LOSS, STAMP } from './layout.gen.js';
import { type HardwareOptions, HardwareStamps } from './hardware.js';
import { type Plan, plan } from './plan.js';
import { Rings } from './ring.js';
import { pageVariables } from '../../sys/page-variables.js';
import { type KernelFilter, setFilter } from './filter.js';
import { withFilter } from './slot.js';
import { type Mapping, mapShared } from '../../sys/libc.js';

/** What to listen to, and how. */
export interface EbpfOptions {
  readonly until: StageName;
  /** Interface, or undefined: whatever interface the IRQs belong to. */
  readonly ifindex: number | undefined;
  /** Interrupts that may explain a packet. Empty: the interface has none. */
  readonly irqs: readonly WantedIrq[];
  /** True: only packets that came by one of `irqs`. */
  readonly irqOnly: boolean;
  /** True where no interrupt, and so no NAPI instance, serves more than one receive queue. */
  readonly oneQueue: boolean;
  /** Some of `irqs` have a thread that runs their handler or its second half. */
  readonly irqThreads?: boolean;
  /** True: it has no interrupts now, but may get some while it is traced. */
  readonly mayHaveIrqs?: boolean;
  /**
   * Read headers that lie in page fragments too, as some NICs' drivers leave them; a stack without a NIC keeps them
   * together. Costs some 50 ms at the start. Filter expressions need it anyway.
   */
  readonly pages: boolean;
  readonly queue: number | undefined;
  readonly cpus: readonly number[] | undefined;
  /** Only packets that it lets through; undefined: all. */
  readonly filter?: KernelFilter | undefined;
  readonly interrupts: boolean;
  /** Only packets that took longer than this between two stamps that the driver stage knows; see {@link canCompare}. */
  readonly slower?: { readonly from: StageName; readonly to: StageName; readonly ns: number } | undefined;
  /** The NIC's own stamps; undefined: it has none. */
  readonly hardware?: HardwareOptions | undefined;
  /** Ring bytes per CPU, a power of two of at least 64 KiB. */
  readonly ringBytes: number;
}

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

/** The stamps that the kernel side can compare before it writes a packet. */
const COMPARED: Readonly<Partial<Record<StageName, number>>> = {
  entry: STAMP.STAMP_ENTRY,
  isr: STAMP.STAMP_ISR,
  raise: STAMP.STAMP_RAISE,
  softirq: STAMP.STAMP_SOFTIRQ,
  poll: STAMP.STAMP_POLL,
  driver: STAMP.STAMP_DRIVER,
};

/** True where `slower` may name these stages. */
export function canCompare(from: StageName, to: StageName): boolean {
  return COMPARED[from] !== undefined && COMPARED[to] !== undefined;
}

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
      const missed = programStats(this.object.programFd(program)).recursionMisses ?? 0;
      const count = missed - (this.missed.get(program) ?? 0);
      const cause = program.startsWith('packet_') ? 'missed_packet' : 'missed';
      if (count > 0) this.onLoss({ cause, cpu: -1, count, from: 0, to: now });
      this.missed.set(program, missed);
      const before = onKprobe(program) ? (this.object.linkMisses(program) ?? 0) : 0;
      if (before > 0) this.onLoss({ cause: 'probe_missed', cpu: -1, count: before, from: 0, to: now });
    }
    this.object.detach();
  }

  close(): void {
    this.filter.close();
    this.rings.close();
    this.object.close();
  }
}

interface Decision {
  readonly chosen: Plan;
  readonly castHeaders: boolean;
  readonly reasons: ReadonlyMap<number, string>;
}

function hasIrqs({ irqs, mayHaveIrqs }: EbpfOptions): boolean {
  return irqs.length > 0 || mayHaveIrqs === true;
}

/** What would be loaded for `options` on this machine. Errors: RXS_NO_BTF, RXS_NO_HOOK. */
export function planFor(options: EbpfOptions, flavour: Flavour = FULL): Plan {
  return decide(options, flavour).chosen;
}

function decide(options: EbpfOptions, flavour: Flavour): Decision {
  const door = hostHooks();
  try {
    if (!door.hasBtf) {
      throw new RxError('RXS_NO_BTF', {
        doing: 'reading the kernel type information',
        subject: '/sys/kernel/btf/vmlinux',
        why: 'this kernel has no BTF',
        hint: 'use a kernel built with CONFIG_DEBUG_INFO_BTF=y (Debian has it since 5.10)',
      });
    }
    const request = {
      ...options,
      irqThreads: options.irqThreads === true,
      hardware: options.hardware?.way,
      hasIrqs: hasIrqs(options),
    };
    const hasPreemptCount = door.hasVariable('pcpu_hot') || door.hasVariable('__preempt_count');
    const told = hasPreemptCount && flavour.trustsPreemptCount;
    const chosen = flavour.finish(plan(request, flavour.probe(hookProbe(door)), told));
    const missing = chosen.ways.find((way) => way.stage === 'driver' && way.hook === undefined);
    if (missing) {
      throw new RxError('RXS_NO_HOOK', {
        doing: 'choosing hooks for stage',
        subject: missing.stage,
        why: missing.reasons.join('; '),
        hint: 'run `rxstamp doctor`',
      });
    }
    const reasons = chosen.tracked ? door.enumNames('skb_drop_reason') : new Map<number, string>();
    return { chosen, reasons, castHeaders: (door.functionId('bpf_rdonly_cast') ?? 0) > 0 };
  } finally {
    door.close();
  }
}

function checkTracked(cpus: number): void {
  if (cpus <= LIMITS.MOST_TRACKED_CPUS) return;
  throw new RxError('RXS_USAGE', {
    doing: 'following packets beyond the driver stage on',
    subject: `${cpus} CPUs`,
    why: `a packet's number has room for ${LIMITS.MOST_TRACKED_CPUS}`,
    hint: 'use --until driver',
  });
}

/** Packet programs that fetch headers by helper, for kernels before 6.2. */
function probeVariants(programs: readonly string[], all: readonly string[]): readonly string[] {
  return programs.map((name) => (all.includes(`${name}_probe`) ? `${name}_probe` : name));
}

function configure(rodata: DataView, options: EbpfOptions, chosen: Plan, cpus: number, chunks: number): void {
  const set = (offset: number, value: number | boolean): void =>
    rodata.setUint32(offset, Number(value), true);
  set(CONFIG.chunksPerRing, chunks);
  set(CONFIG.possibleCpus, cpus);
  set(CONFIG.oneDevice, options.ifindex !== undefined);
  set(CONFIG.netns, networkNamespace());
  set(CONFIG.queue, options.queue === undefined ? 0 : options.queue + 1);
  set(CONFIG.irqOnly, options.irqOnly);
  set(CONFIG.cpuOnly, options.cpus !== undefined);
  set(CONFIG.hasIrqs, hasIrqs(options));
  set(
    CONFIG.enterHooked,
    chosen.programs.some((name) => name.startsWith('irq_enter')),
  );
  set(CONFIG.entryHooked, chosen.entryHooked);
  set(CONFIG.prepHooked, chosen.prepHooked);
  set(CONFIG.exitHooked, chosen.exitHooked);
  set(CONFIG.softirqExitHooked, chosen.softirqExitHooked);
  set(CONFIG.startHooked, chosen.startHooked);
  set(CONFIG.irqThreads, chosen.threadsHooked);
  setFilter(rodata, options.filter);
  const pages = options.pages || options.filter !== undefined ? pageVariables() : undefined;
  rodata.setBigUint64(CONFIG.vmemmapBase, pages?.vmemmapBase ?? 0n, true);
  rodata.setBigUint64(CONFIG.pageOffsetBase, pages?.pageOffsetBase ?? 0n, true);
  set(CONFIG.interrupts, options.interrupts);
  set(CONFIG.hardware, options.hardware?.clock !== undefined);
  set(CONFIG.tracked, chosen.tracked);
  set(CONFIG.wakeEndHooked, chosen.programs.includes('socket_tcp_done'));
  const { slower } = options;
  if (slower === undefined) return;
  set(CONFIG.slowFrom, COMPARED[slower.from] ?? 0);
  set(CONFIG.slowTo, COMPARED[slower.to] ?? 0);
  rodata.setBigUint64(CONFIG.slowNs, BigInt(slower.ns), true);
}
