/**
 * Interrupts by two probes: `__common_interrupt`, the earliest function of an interrupt that can be probed, knows the
 * vector; the flow handler behind it knows the line. Both are filtered in the kernel by what they fetch, so that only wanted
 * interrupts are recorded. Vectors move when an affinity changes: an entry without its flow handler, or the other way
 * round, has the places read again and the filter written anew; until then the entry is the flow handler's time and the
 * vector is not told.
 */
import type { StageWay } from '../../record/source.js';
import type { ProbeGroup } from '../../sys/trace-probes.js';
import type { TraceInstance } from '../../sys/trace-instance.js';
import { Assembler } from '../events/assembler.js';
import type { MethodRequest } from '../method.js';
import type { MethodName } from '../names.js';
import { type IrqPlace, type WaitingEntry, belongs, placeFilter } from './places.js';
import { InstanceSource } from './source.js';

/** What a probe source listens to. */
export interface Probed {
  readonly probes: ProbeGroup;
  /** Event on `__common_interrupt`; undefined: flow handlers only. */
  readonly entry: string | undefined;
  /** Events on flow handlers. */
  readonly flows: readonly string[];
  readonly ways: readonly StageWay[];
  readonly programs: readonly string[];
  readonly notes: readonly string[];
  /** Reads where the wanted interrupts are now. */
  readonly places: () => ReadonlyMap<number, IrqPlace>;
  /** Frees what `places` needs. */
  readonly close: () => void;
}

/** A running session of the probe methods. Errors: RXS_TRACEFS. */
export class ProbeSource extends InstanceSource {
  readonly ways: readonly StageWay[];
  readonly programs: readonly string[];
  override readonly notes: readonly string[];
  protected readonly assembler: Assembler;
  private readonly probed: Probed;
  private readonly waiting = new Map<number, WaitingEntry>();
  private places: ReadonlyMap<number, IrqPlace>;
  private moved = false;
  private missed = 0;

  constructor(method: MethodName, instance: TraceInstance, probed: Probed, request: MethodRequest) {
    super(method, instance);
    this.probed = probed;
    this.ways = probed.ways;
    this.programs = probed.programs;
    this.notes = probed.notes;
    this.assembler = new Assembler(this, { ...request, names: undefined, lastOfInterrupt: 'entry' });
    this.places = probed.places();
    // The entry first: the first interrupt that is told is told whole.
    if (probed.entry !== undefined) {
      this.listen(probed.entry, placeFilter(this.places), (cpu, time, fields) =>
        this.entry(cpu, time, fields.number('vector')),
      );
    }
    const wanted = request.irqs.map(({ irq }) => `irq==${irq}`).join('||');
    for (const flow of probed.flows)
      this.listen(flow, wanted, (cpu, time, fields) => this.flow(cpu, time, fields.number('irq')));
  }

  private entry(cpu: number, time: number, vector: number): void {
    if (this.waiting.has(cpu)) this.moved = true;
    this.waiting.set(cpu, { time, vector });
  }

  private flow(cpu: number, time: number, irq: number): void {
    const entry = this.waiting.get(cpu);
    this.waiting.delete(cpu);
    if (entry !== undefined && belongs(entry, time, cpu, this.places.get(irq)))
      this.assembler.entry(cpu, entry.time, -1, entry.vector);
    else this.moved = true;
    this.assembler.entry(cpu, time, irq);
  }

  override gap(cpu: number, count: number | undefined): void {
    this.waiting.delete(cpu);
    super.gap(cpu, count);
  }

  protected override read(): number {
    const events = super.read();
    if (this.moved && !this.over) this.readPlaces();
    return events;
  }

  private readPlaces(): void {
    this.moved = false;
    if (this.probed.entry === undefined) return;
    const before = placeFilter(this.places);
    this.places = this.probed.places();
    const filter = placeFilter(this.places);
    if (filter !== before) this.instance.filter(this.probed.entry, filter);
  }

  protected override otherLosses(): void {
    const missed = this.probed.probes.missed();
    this.toldLoss('probe_missed', missed - this.missed);
    this.missed = missed;
  }

  protected override release(): void {
    try {
      super.release();
    } finally {
      this.probed.close();
      this.probed.probes.remove();
    }
  }
}
