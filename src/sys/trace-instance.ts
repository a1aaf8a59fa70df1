/**
 * A trace instance of rxstamp's own: its buffer, events, filters, clock and tracer are nobody else's. Its name says
 * whose it is; {@link TraceInstance.remove} and the process's end take it away, the next run what SIGKILL left.
 */
import { closeSync, constants, mkdirSync, openSync, readSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { RxError } from '../base/errors.js';
import { atEnd } from './at-end.js';
import { possibleCpuCount } from './cpus.js';
import { newOwnerName } from './owner-name.js';
import { type EventFormat, parseEventFormat } from './tracefs-format.js';
import { type PageLayout, lostBefore, parsePageLayout, walkPage } from './trace-pages.js';
import { Tracefs } from './tracefs.js';

/** What is wanted of an instance. */
export interface InstanceOptions {
  /** Buffer per CPU. */
  readonly bytesPerCpu: number;
  /** Only events of these CPUs are recorded; undefined: of all. */
  readonly cpus: readonly number[] | undefined;
}

/** CPU numbers as tracing_cpumask takes them: hexadecimal, in groups of 32 from the right. */
export function cpuMask(cpus: readonly number[]): string {
  const groups: number[] = [];
  for (const cpu of cpus) {
    const group = Math.floor(cpu / 32);
    while (groups.length <= group) groups.push(0);
    groups[group] = ((groups[group] as number) | (1 << (cpu % 32))) >>> 0;
  }
  return groups
    .reverse()
    .map((group, index) => (index === 0 ? group.toString(16) : group.toString(16).padStart(8, '0')))
    .join(',');
}

/** Events that a CPU's buffer could not keep. */
export interface LostEvents {
  /** Written over before they were read; pages tell it too. */
  readonly overwritten: number;
  /** Never written: nested too deep, or no room with nothing to be written over. */
  readonly refused: number;
}

/** Reads per_cpu/cpuN/stats. */
export function lostInStats(text: string): LostEvents {
  const count = (name: string): number => Number(new RegExp(`^${name}: (\\d+)$`, 'm').exec(text)?.[1] ?? '0');
  return { overwritten: count('overrun'), refused: count('commit overrun') + count('dropped events') };
}

/** Takes what is read. */
export interface EventVisitor {
  /** One event, relative to the base; its bytes are only to be read during the call. */
  event(cpu: number, time: number, view: DataView, start: number, length: number): void;
  /** Events are missing in front of what follows; undefined: the kernel had no room for the number. */
  gap(cpu: number, count: number | undefined): void;
  /** A page could not be walked to its end. */
  broken(cpu: number): void;
}

interface CpuPipe {
  readonly cpu: number;
  readonly fd: number;
}

/** An instance, from {@link TraceInstance.create} to {@link TraceInstance.remove}. */
export class TraceInstance extends Tracefs {
  readonly name: string;
  private readonly tracefs: Tracefs;
  private readonly cpus: readonly number[];
  private readonly pipes: CpuPipe[] = [];
  private readonly enabled: string[] = [];
  private readonly layout: PageLayout;
  private readonly bytes: Buffer;
  private readonly view: DataView;
  private readonly forget: () => void;
  private removed = false;

  private constructor(tracefs: Tracefs, name: string) {
    super(join(tracefs.path, 'instances', name), tracefs.path);
    this.tracefs = tracefs;
    this.name = name;
    this.forget = atEnd(() => this.remove());
    const possible = Array.from({ length: possibleCpuCount() }, (_, cpu) => cpu);
    this.cpus = possible.filter((cpu) => this.has(`per_cpu/cpu${cpu}/trace_pipe_raw`));
    const layout = parsePageLayout(
      this.has('events/header_page') ? this.read('events/header_page') : tracefs.read('events/header_page'),
    );
    if (layout === undefined) {
      this.remove();
      throw new RxError('RXS_TRACEFS', {
        doing: 'reading',
        subject: join(tracefs.path, 'events/header_page'),
        why: 'pages of the ring buffer are not laid out as on 64-bit kernels',
        hint: 'use --method ebpf',
      });
    }
    this.layout = layout;
    this.bytes = Buffer.alloc(layout.size);
    this.view = new DataView(this.bytes.buffer, this.bytes.byteOffset, layout.size);
  }

  /** Makes one whose times are CLOCK_MONOTONIC. Nothing is recorded before an event is enabled. @throws RxError RXS_TRACEFS */
  static create(tracefs: Tracefs, { bytesPerCpu, cpus }: InstanceOptions): TraceInstance {
    const name = newOwnerName();
    try {
      mkdirSync(join(tracefs.path, 'instances', name));
    } catch (cause) {
      throw tracefs.refused('writing', `instances/${name}`, undefined, cause);
    }
    const instance = new TraceInstance(tracefs, name);
    try {
      instance.write('trace_clock', 'mono');
      // Nobody here needs record-cmd (names of tasks), but trace_event_enable_cmd_record() would turn it off for everybody.
      instance.write('buffer_size_kb', String(Math.ceil(bytesPerCpu / 1024)));
      if (cpus !== undefined) instance.write('tracing_cpumask', cpuMask(cpus));
      return instance;
    } catch (error) {
      instance.remove();
      throw error;
    }
  }

  /** Opens what is read from; the tracer cannot be changed while it is open (tr->trace_ref). */
  private openPipes(): void {
    for (const cpu of this.cpus) {
      const file = `per_cpu/cpu${cpu}/trace_pipe_raw`;
      try {
        const fd = openSync(join(this.path, file), constants.O_RDONLY | constants.O_NONBLOCK);
        this.pipes.push({ cpu, fd });
      } catch (cause) {
        throw this.refused('reading', file, undefined, cause);
      }
    }
  }

  private closePipes(): void {
    for (const { fd } of this.pipes.splice(0)) closeSync(fd);
  }

  /** Chooses the tracer of this instance. Another one empties the buffer: read it before. @throws RxError RXS_TRACEFS */
  setTracer(name: string): void {
    this.closePipes();
    this.write('current_tracer', name);
  }

  /** The layout of an event, `irq/irq_handler_entry`. @throws RxError RXS_TRACEFS where the kernel has none of that name */
  format(event: string): EventFormat {
    return parseEventFormat(this.tracefs.read(`events/${event}/format`));
  }

  /** Sets an event's filter; it is turned on by {@link enable}. @throws RxError RXS_TRACEFS with the kernel's words */
  filter(event: string, filter: string): void {
    this.write(`events/${event}/filter`, filter);
  }

  /** Records an event from now on. @throws RxError RXS_TRACEFS */
  enable(event: string): void {
    this.write(`events/${event}/enable`, '1');
    this.enabled.push(event);
  }

  /** Turns all events off, the last one first; what was recorded can still be read. */
  disable(): void {
    for (const event of this.enabled.splice(0).reverse()) this.write(`events/${event}/enable`, '0');
  }

  /**
   * Reads what there is, CPU after CPU, each in the order of time.
   * @param base CLOCK_MONOTONIC nanoseconds that times are relative to
   * @param until a CPU whose events come faster than they are read is left when one is later than this
   * @returns events read
   */
  readEvents(base: bigint, until: number, visitor: EventVisitor): number {
    if (this.pipes.length === 0) this.openPipes();
    let events = 0;
    for (const { cpu, fd } of this.pipes) {
      let last = Number.NEGATIVE_INFINITY;
      const visit = (time: number, start: number, length: number): void => {
        events++;
        last = time;
        visitor.event(cpu, time, this.view, start, length);
      };
      while (this.readPage(fd)) {
        const missing = lostBefore(this.view, this.layout);
        if (missing !== 0) visitor.gap(cpu, missing);
        if (!walkPage(this.view, this.layout, base, visit)) visitor.broken(cpu);
        if (last > until) break;
      }
    }
    return events;
  }

  private readPage(fd: number): boolean {
    try {
      return readSync(fd, this.bytes, 0, this.bytes.length, null) > this.layout.data;
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined;
      // Nothing there; or a CPU that has never been online and has no buffer yet (ring_buffer_alloc_read_page).
      if (code === 'EAGAIN' || code === 'ENODEV') return false;
      throw this.refused('reading', 'per_cpu', undefined, error);
    }
  }

  /** What each CPU's buffer has lost so far, whether or not what was around it was read. */
  lostSoFar(): ReadonlyMap<number, LostEvents> {
    return new Map(this.cpus.map((cpu) => [cpu, lostInStats(this.read(`per_cpu/cpu${cpu}/stats`))]));
  }

  /** Takes it away with everything in it. Twice is once. @throws RxError RXS_TRACEFS where somebody else holds it open */
  remove(): void {
    if (this.removed) return;
    this.removed = true;
    this.forget();
    this.closePipes();
    try {
      rmdirSync(this.path);
    } catch (cause) {
      throw this.tracefs.refused('writing', `instances/${this.name}`, undefined, cause);
    }
  }
}
