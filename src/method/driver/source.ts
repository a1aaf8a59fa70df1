/** Records of the driver's own interrupt function: one per call, from bpf/driver.bpf.c. */
import { RxError } from '../../base/errors.js';
import { nicsOfIrq } from '../../nic/resolve.js';
import type { BpfTime, Listened, StageWay, WantedIrq } from '../../record/source.js';
import { tryFentryOn } from '../../sys/fentry-trial.js';
import { Inspector } from '../../sys/inspect.js';
import { tryKprobe } from '../../sys/kprobe-trial.js';
import { bpfTimeOf, programStats } from '../../sys/bpf-stats.js';
import { BpfObject, possibleCpus } from '../../sys/libbpf.js';
import { type Mapping, mapShared } from '../../sys/libc.js';
import { readObject } from '../../sys/package.js';
import { BasicSource } from '../basic-source.js';
import { Decoder } from '../ebpf/decode.js';
import { kprobeNotes } from '../ebpf/flavour.js';
import { CONFIG, IRQ_FILTER, KIND, LIMITS } from '../ebpf/layout.gen.js';
import { Rings } from '../ebpf/ring.js';
import type { MethodRequest } from '../method.js';
import { type Handler, distinct, handlersOf } from './handlers.js';

const OBJECT = 'driver.bpf.o';
/** As many programs of each kind as the object has. */
const MOST_HANDLERS = 4;

/** A handler and how its program is attached. */
export interface Hooked {
  readonly handler: Handler;
  readonly kind: 'fentry' | 'kprobe';
  /** Why not by fentry; undefined where it is. */
  readonly reason: string | undefined;
}

function failure(subject: string, why: string, hint: string): RxError {
  return new RxError('RXS_NO_METHOD', {
    doing: "hooking the driver's interrupt function of",
    subject,
    why,
    hint,
  });
}

/** The functions that answer these interrupts. @throws RxError RXS_NO_METHOD where they cannot be found */
export function findHandlers(irqs: readonly WantedIrq[]): Handler[] {
  if (irqs.length === 0)
    throw failure(
      'the interface',
      'it has no interrupts',
      'name an interface with interrupts (rxstamp irqs)',
    );
  const inspector = Inspector.open();
  try {
    const handlers = irqs.flatMap(({ irq, ifindex }) => {
      const detail = inspector.irq(irq);
      const own = nicsOfIrq(irq).filter(({ nic }) => ifindex === 0 || nic.ifindex === ifindex);
      return detail === undefined
        ? []
        : handlersOf(
            detail,
            own.flatMap((owner) => owner.irq.actions),
          );
    });
    const names = distinct(handlers);
    const lines = irqs.map(({ irq }) => irq).join(', ');
    if (names.length === 0 || names.some(({ name }) => name === '?' || name === ''))
      throw failure(
        `IRQ ${lines}`,
        'the kernel does not tell its name',
        'is the interface up? `rxstamp irqs`',
      );
    if (names.length > MOST_HANDLERS)
      throw failure(
        `IRQ ${lines}`,
        `there are ${names.length} functions, and room for ${MOST_HANDLERS}`,
        'choose fewer interrupts with --irq',
      );
    return names;
  } finally {
    inspector.close();
  }
}

/** How each handler can be hooked here: tried. @throws RxError RXS_NO_METHOD where one cannot */
export function chooseHooks(handlers: readonly Handler[]): Hooked[] {
  return handlers.map((handler) => {
    const reason = tryFentryOn(handler.name);
    if (reason === undefined) return { handler, kind: 'fentry', reason };
    const refused = tryKprobe(handler.name);
    if (refused === undefined) return { handler, kind: 'kprobe', reason };
    throw failure(
      handler.name,
      `fentry: ${reason}; kprobe: ${refused}`,
      'use --method tracepoints: it stamps just before this function is called',
    );
  });
}

/** A running session. */
export class DriverSource extends BasicSource {
  readonly ways: readonly StageWay[];
  readonly programs: readonly string[];
  override notes: readonly string[];
  private readonly object: BpfObject;
  private readonly rings: Rings;
  private readonly wanted: Mapping;
  private readonly decoder: Decoder;
  private readonly hooked: readonly Hooked[];
  private readonly seen = { full: 0, inside: 0 };

  private constructor(object: BpfObject, hooked: readonly Hooked[], chunks: number) {
    super('driver');
    const cpus = possibleCpus();
    this.object = object;
    this.hooked = hooked;
    this.decoder = new Decoder(this.base);
    this.rings = new Rings(object, cpus, cpus, chunks);
    this.wanted = mapShared(object.mapFd('irqs'), LIMITS.MAX_IRQS * IRQ_FILTER.SIZE, 0, true);
    this.programs = hooked.map(({ kind }, index) => `${kind}_${index}`);
    const hook = hooked.map(({ kind, handler }) => `${kind} ${handler.name}`).join(', ');
    const reasons = hooked.flatMap(({ reason, handler }) =>
      reason === undefined ? [] : [`fentry ${handler.name}: ${reason}`],
    );
    this.ways = [{ stage: 'isr', hook, reasons }];
    const inThread = hooked.filter(({ handler }) => handler.thread).map(({ handler }) => handler.name);
    this.notes =
      inThread.length === 0 ? [] : [`${inThread.join(', ')} runs in a thread that the hard interrupt wakes`];
  }

  /** @throws RxError RXS_NO_METHOD, RXS_BPF_LOAD, RXS_BPF_ATTACH */
  static start(request: MethodRequest): DriverSource {
    const hooked = chooseHooks(findHandlers(request.irqs));
    const object = BpfObject.open(readObject(OBJECT), OBJECT);
    try {
      const names = hooked.map(({ kind }, index) => `${kind}_${index}`);
      object.select(new Set(names));
      for (const [index, { kind, handler }] of hooked.entries())
        if (kind === 'fentry') object.target(names[index] as string, handler.name);
      const cpus = possibleCpus();
      const chunks = request.ringBytes / LIMITS.CHUNK_BYTES;
      object.resize('cpus', cpus);
      object.resize('tails', cpus);
      object.resize('chunks', cpus * chunks);
      const rodata = object.rodata();
      rodata.setUint32(CONFIG.chunksPerRing, chunks, true);
      rodata.setUint32(CONFIG.possibleCpus, cpus, true);
      rodata.setUint32(CONFIG.cpuOnly, Number(request.cpus !== undefined), true);
      object.load();
      const source = new DriverSource(object, hooked, chunks);
      source.listen(request.irqs);
      for (const cpu of request.cpus ?? []) source.rings.switchCpu(cpu, true);
      for (const [index, { kind, handler }] of hooked.entries()) {
        if (kind === 'fentry') object.attach(names[index] as string);
        else object.attachKprobe(names[index] as string, handler.name);
      }
      source.notes = [
        ...source.notes,
        ...kprobeNotes(
          object,
          names.filter((name) => name.startsWith('kprobe')),
        ),
      ];
      return source;
    } catch (error) {
      object.close();
      throw error;
    }
  }

  private listen(irqs: readonly WantedIrq[]): void {
    const words = new Uint32Array(this.wanted.buffer);
    words.fill(0);
    for (const { irq } of irqs) {
      if (irq < LIMITS.MAX_IRQS) words[(irq * IRQ_FILTER.SIZE + IRQ_FILTER.wanted) / 4] = 1;
    }
  }

  /** The same driver's other interrupts have the same functions; others cannot be hooked any more. */
  override follow(target: Listened): void {
    const known = this.hooked.map(({ handler }) => handler.name);
    if (target.irqs.length > 0 && findHandlers(target.irqs).some(({ name }) => !known.includes(name)))
      super.follow(target);
    this.listen(target.irqs);
  }

  protected read(): number {
    let records = 0;
    for (let ring = 0; ring < this.rings.cpus; ring++) {
      records += this.rings.drain(ring, (words, word, kind) => {
        if (kind === KIND.IRQ) this.onInterrupt(this.decoder.interrupt(words, word));
      });
    }
    const full = this.sum('irqsRingFull');
    const inside = this.sum('recursion');
    this.lost('irq_ring_full', -1, full - this.seen.full);
    this.lost('probe_missed', -1, inside - this.seen.inside);
    this.seen.full = full;
    this.seen.inside = inside;
    return records;
  }

  private sum(counter: 'irqsRingFull' | 'recursion'): number {
    let sum = 0;
    for (let cpu = 0; cpu < this.rings.cpus; cpu++) sum += this.rings.lossCounter(cpu, counter);
    return sum;
  }

  bpfTime(): BpfTime {
    return bpfTimeOf(this.programs.map((program) => this.object.programFd(program)));
  }

  protected detach(): void {
    for (const program of this.programs) {
      const skipped = programStats(this.object.programFd(program)).recursionMisses ?? 0;
      const cause = program.startsWith('kprobe') ? 'probe_missed' : 'missed';
      this.lost(cause, -1, skipped + (this.object.linkMisses(program) ?? 0));
    }
    this.object.detach();
  }

  protected release(): void {
    this.wanted.close();
    this.rings.close();
    this.object.close();
  }
}
