/**
 * The perf method: perf_event_open on the tracepoints, a ring per CPU. Cast: {@link CpuEvents} one CPU's events and ring,
 * the assembler what the events say, this the ledger: what the kernel counted against what came.
 *
 * The ledger rests on the kernel's own count of each event: local64_add in perf_swevent_event() comes behind the filter
 * and before anything can be lost, so hits - samples is what is missing, for whatever reason. LOST records say where.
 */
import type { Listened, StageWay } from '../../record/source.js';
import { onlineCpus } from '../../sys/cpus.js';
import { mayBeOtherNamespaces } from '../../sys/netns.js';
import { CpuEvents, type PerfEvent } from '../../sys/perf/events.js';
import type { PerfVisitor } from '../../sys/perf/ring.js';
import { taskName } from '../../sys/processes.js';
import { EventFields, type EventFormat } from '../../sys/tracefs-format.js';
import { BasicSource } from '../basic-source.js';
import { Assembler } from '../events/assembler.js';
import { EVENTS, type Feed } from '../events/table.js';
import type { MethodRequest } from '../method.js';

/** How long an event may take from its time stamp to its place in the ring, interrupts in between included. */
const SETTLE_NS = 1_000_000;
/** How often to look whether CPUs came or went: more often than one can go and come again. */
const LOOK_NS = 20_000_000;
/** Threads' names are remembered this long. */
const NAMES_NS = 1_000_000_000;

/** One event, ready to be opened and read. */
export interface PerfTracepoint extends PerfEvent {
  readonly format: EventFormat;
}

/** Events of one CPU, and what has become of them. */
interface Listener {
  readonly events: CpuEvents;
  /** Samples read per event. */
  readonly seen: number[];
  /** Lost, as LOST records told so far. */
  told: number;
}

/** A running perf session. Errors: RXS_PERF, RXS_NO_MEMORY. */
export class PerfSource extends BasicSource implements PerfVisitor {
  readonly ways: readonly StageWay[];
  readonly programs: readonly string[];
  override readonly notes: readonly string[];
  private readonly tracepoints: readonly PerfTracepoint[];
  private readonly feeds: readonly Feed[];
  private readonly fields: readonly EventFields[];
  private readonly assembler: Assembler;
  private readonly cpus: readonly number[] | undefined;
  private readonly irqs: ReadonlySet<number>;
  private readonly ringBytes: number;
  private readonly listeners = new Map<number, Listener>();
  private readonly names = new Map<number, string | undefined>();
  private current: Listener | undefined;
  private nextLook = LOOK_NS;
  private namesUntil = 0;
  private running = true;
  /** Samples that were read when the events were taken off: the next drain tells of them. */
  private unread = 0;

  constructor(request: MethodRequest, tracepoints: readonly PerfTracepoint[], ways: readonly StageWay[]) {
    super('perf');
    this.ways = ways;
    this.tracepoints = tracepoints;
    this.programs = tracepoints.map(({ name }) => name);
    this.feeds = tracepoints.map(({ name }) => EVENTS[name] as Feed);
    this.fields = tracepoints.map(({ format }) => new EventFields(format));
    this.cpus = request.cpus;
    this.irqs = new Set(request.irqs.map(({ irq }) => irq));
    this.ringBytes = request.ringBytes;
    this.notes = notesFor(request);
    this.assembler = new Assembler(this, {
      ...request,
      names: new Map(request.interfaces.map(({ name, ifindex }) => [name, ifindex])),
      lastOfInterrupt: 'exit',
      taskName: (pid) => this.taskName(pid),
    });
    try {
      for (const cpu of onlineCpus()) this.listen(cpu);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  private listen(cpu: number): void {
    if (this.cpus !== undefined && !this.cpus.includes(cpu)) return;
    const events = CpuEvents.open(cpu, this.tracepoints, this.ringBytes, this.base);
    if (events === undefined) return;
    this.listeners.set(cpu, { events, seen: this.tracepoints.map(() => 0), told: 0 });
    events.enable();
  }

  /** Complete up to a moment ago: what was stamped since may not be in its ring yet. */
  override drain(): number {
    const now = this.now();
    const upTo = this.running ? now - SETTLE_NS : Number.POSITIVE_INFINITY;
    let events = this.unread;
    this.unread = 0;
    for (const listener of this.listeners.values()) events += this.readFrom(listener, upTo);
    if (this.running && now >= this.nextLook) this.look(now);
    this.drainedTo = this.running ? upTo : now;
    return events;
  }

  protected read(): number {
    return 0;
  }

  private readFrom(listener: Listener, upTo: number): number {
    this.current = listener;
    return listener.events.drain(upTo, this);
  }

  sample(identifier: number, time: number, cpu: number, view: DataView, at: number, bytes: number): void {
    const { events, seen } = this.current as Listener;
    const index = events.indexOf(identifier);
    const fields = this.fields[index];
    if (fields === undefined || !fields.at(view, at, bytes)) {
      this.lost('not_understood', cpu, 1);
      return;
    }
    seen[index] = (seen[index] as number) + 1;
    (this.feeds[index] as Feed)(this.assembler, cpu, time, fields);
  }

  gap(count: number): void {
    const listener = this.current as Listener;
    const { cpu } = listener.events;
    listener.told += count;
    this.assembler.gap(cpu);
    this.lost('events_lost', cpu, count);
  }

  broken(): void {
    const { cpu } = (this.current as Listener).events;
    this.assembler.gap(cpu);
    this.lost('not_understood', cpu, 1);
  }

  private taskName(pid: number): string | undefined {
    if (!this.names.has(pid)) this.names.set(pid, taskName(pid));
    return this.names.get(pid);
  }

  /** Its filters are fixed: lines that it has listened to from the beginning it can follow, no others. */
  override follow(target: Listened): void {
    if (!target.irqs.every(({ irq }) => this.irqs.has(irq))) super.follow(target);
    this.assembler.follow(target);
  }

  /** A CPU that goes offline takes its events with it (perf_event_exit_cpu); one that comes gets new ones. */
  private look(now: number): void {
    this.nextLook = now + LOOK_NS;
    if (now >= this.namesUntil) {
      this.namesUntil = now + NAMES_NS;
      this.names.clear();
    }
    const online = new Set(onlineCpus());
    for (const [cpu, listener] of this.listeners) {
      if (online.has(cpu)) continue;
      this.finish(listener);
      this.listeners.delete(cpu);
    }
    for (const cpu of online) if (!this.listeners.has(cpu)) this.listen(cpu);
  }

  private finish(listener: Listener): void {
    listener.events.disable();
    this.readFrom(listener, Number.POSITIVE_INFINITY);
    this.settle(listener);
    listener.events.close();
  }

  /** What the kernel counted and nobody has seen. */
  private settle({ events, seen, told }: Listener): void {
    const hits = events.counts().reduce((sum, count) => sum + count.hits, 0);
    const samples = seen.reduce((sum, count) => sum + count, 0);
    this.lost('events_lost', events.cpu, hits - samples - told);
  }

  protected detach(): void {
    for (const { events } of this.listeners.values()) events.disable();
    for (const listener of this.listeners.values())
      this.unread += this.readFrom(listener, Number.POSITIVE_INFINITY);
    for (const listener of this.listeners.values()) this.settle(listener);
    this.running = false;
  }

  protected release(): void {
    for (const { events } of this.listeners.values()) events.close();
    this.listeners.clear();
  }
}

function notesFor({ interrupts, interfaces }: MethodRequest): string[] {
  if (interrupts || !mayBeOtherNamespaces()) return [];
  const names = interfaces.map(({ name }) => name).join(', ');
  return [
    `perf's events tell an interface by its name: packets of ${names} in other network namespaces would be seen too`,
  ];
}
