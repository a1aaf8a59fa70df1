/** Calls of interrupt handlers, by the function tracer of an instance. */
import { RxError } from '../../base/errors.js';
import type { StageWay } from '../../record/source.js';
import { findSymbols } from '../../sys/kallsyms.js';
import type { TraceInstance } from '../../sys/trace-instance.js';
import { Assembler } from '../events/assembler.js';
import type { Fields } from '../events/table.js';
import type { MethodRequest } from '../method.js';
import { InstanceSource } from '../tracefs/source.js';
import { placedNow } from './handlers.js';
import { type HandledLine, certainLine, lineNotes, placesText } from './lines.js';

/** Bytes from a function's start to what the tracer calls its address: behind ENDBR, the padding in front left out. */
const MOST_INTO = 16n;

/** A running session of the function tracer. Errors: RXS_TRACEFS. */
export class FunctionSource extends InstanceSource {
  readonly ways: readonly StageWay[];
  readonly programs: readonly string[];
  override readonly notes: readonly string[];
  protected readonly assembler: Assembler;
  private readonly wanted: ReadonlySet<number>;
  private readonly handlers: readonly string[];
  private readonly addresses: readonly (readonly [bigint, string])[];
  private readonly calls: { cpu: number; time: number; handler: string | undefined }[] = [];
  private lines: readonly HandledLine[];
  private unread = 0;

  constructor(
    instance: TraceInstance,
    request: MethodRequest,
    lines: readonly HandledLine[],
    notes: readonly string[],
  ) {
    super('function', instance);
    const irqs = request.irqs.map(({ irq }) => irq);
    this.wanted = new Set(irqs);
    const own = lines.filter(({ irq }) => this.wanted.has(irq));
    // A shared line calls all of its handlers, one after the other: the first one's call is the interrupt.
    this.handlers = [...new Set(own.flatMap((line) => line.handlers.slice(0, 1)))];
    this.lines = lines.filter((line) => line.handlers.some((handler) => this.handlers.includes(handler)));
    this.addresses = addressesOf(this.handlers);
    this.programs = this.handlers.map((handler) => `function:${handler}`);
    this.ways = [
      {
        stage: 'entry',
        hook: undefined,
        reasons: ['a function in front of the handler is called for every interrupt of the machine'],
      },
      { stage: 'isr', hook: `function tracer on ${this.handlers.join(', ')}`, reasons: [] },
    ];
    const threaded = own.filter((line) => line.threaded).map(({ irq }) => irq);
    this.notes = [
      ...notes,
      ...lineNotes(lines, this.handlers, irqs),
      ...(threaded.length === 0
        ? []
        : [`the handler of IRQ ${threaded.join(', ')} runs in a thread: its stamp is not the interrupt's`]),
    ];
    this.assembler = new Assembler(this, {
      ...request,
      names: undefined,
      lastOfInterrupt: 'isr',
      irqsTold: false,
    });
    this.expect('ftrace/function', (cpu, time, fields) => this.call(cpu, time, fields));
    this.instance.replace('set_ftrace_filter', this.handlers.join(' '));
    this.instance.setTracer('function');
  }

  private call(cpu: number, time: number, fields: Fields): void {
    this.calls.push({ cpu, time, handler: this.handlerAt(fields.address('ip')) });
  }

  private handlerAt(ip: number): string | undefined {
    if (this.handlers.length === 1) return this.handlers[0];
    return this.addresses.find(([start]) => BigInt(ip) >= start && BigInt(ip) < start + MOST_INTO)?.[1];
  }

  /** Lines are told of calls only where they go the same way before and after them. */
  protected override read(): number {
    const kept = this.unread;
    this.unread = 0;
    const events = super.read();
    if (this.calls.length === 0) return events + kept;
    const now = placedNow(this.lines);
    const stayed = placesText(now) === placesText(this.lines);
    for (const { cpu, time, handler } of this.calls.splice(0)) {
      const irq = stayed && handler !== undefined ? certainLine(this.lines, handler, cpu) : -1;
      if (irq < 0 || this.wanted.has(irq)) this.assembler.isr(cpu, time, irq);
    }
    this.lines = now;
    return events + kept;
  }

  /** Another tracer empties the buffer (tracing_reset_online_cpus), so it is read before. */
  protected override detach(): void {
    this.instance.write('tracing_on', '0');
    super.detach();
    this.unread = this.read();
    this.instance.setTracer('nop');
  }
}

/** Where functions start, without the upper 16 bits as events tell addresses; nothing where the kernel hides them. */
function addressesOf(names: readonly string[]): (readonly [bigint, string])[] {
  if (names.length < 2) return [];
  return (findSymbols(names) ?? [])
    .filter(({ address }) => address !== 0n)
    .map(({ address, name }) => [address & 0xffff_ffff_ffffn, name] as const);
}

/** @throws RxError RXS_NO_METHOD where the kernel does not tell who handles the interrupts */
export function checkHandlers(lines: readonly HandledLine[], request: MethodRequest): void {
  const missing = request.irqs.filter(({ irq }) => !lines.some((line) => line.irq === irq));
  if (missing.length === 0) return;
  throw new RxError('RXS_NO_METHOD', {
    doing: 'looking for the function that handles',
    subject: `IRQ ${missing.map(({ irq }) => irq).join(', ')}`,
    why: 'the kernel tells no handler of it',
    hint: 'use --method ftrace, whose events need no function',
  });
}
