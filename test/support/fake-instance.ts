/** A trace instance made by hand: a test says what lies in its buffers. */
import { type EventFormat, parseEventFormat } from '../../src/sys/tracefs-format.js';
import type { EventVisitor, LostEvents, TraceInstance } from '../../src/sys/trace-instance.js';

const FIXED = `\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;
\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;
`;

/** Numbers of 32 bits behind the common fields, in this order. */
export type FakeEvents = Readonly<Record<string, readonly string[]>>;

type Step = (visitor: EventVisitor) => void;

/** Records what is asked of it. */
export class FakeInstance {
  readonly asked: string[] = [];
  readonly counters = new Map<number, LostEvents>();
  private readonly formats: ReadonlyMap<string, EventFormat>;
  private steps: Step[] = [];

  constructor(events: FakeEvents) {
    this.formats = new Map(
      Object.entries(events).map(([name, fields], index) => [
        name,
        parseEventFormat(
          `name: ${name.replace('/', '_')}\nID: ${index + 1}\nformat:\n${FIXED}${fields
            .map((field, at) => `\tfield:u32 ${field};\toffset:${8 + at * 4};\tsize:4;\tsigned:0;\n`)
            .join('')}`,
        ),
      ]),
    );
  }

  /** For where the real one is wanted. */
  get door(): TraceInstance {
    return this as unknown as TraceInstance;
  }

  /** Puts an event into a CPU's buffer. */
  put(cpu: number, time: number, event: string, ...values: readonly number[]): void {
    const { id } = this.format(event);
    const view = new DataView(new ArrayBuffer(8 + values.length * 4));
    view.setUint16(0, id, true);
    values.forEach((value, index) => view.setUint32(8 + index * 4, value, true));
    this.steps.push((visitor) => visitor.event(cpu, time, view, 0, view.byteLength));
  }

  /** Events are missing here. */
  lose(cpu: number, count: number | undefined): void {
    this.steps.push((visitor) => visitor.gap(cpu, count));
  }

  readEvents(_base: bigint, _until: number, visitor: EventVisitor): number {
    const steps = this.steps.splice(0);
    for (const step of steps) step(visitor);
    return steps.length;
  }

  format(event: string): EventFormat {
    return this.formats.get(event) as EventFormat;
  }

  filter(event: string, filter: string): void {
    this.asked.push(`filter ${event} ${filter}`);
  }

  enable(event: string): void {
    this.asked.push(`enable ${event}`);
  }

  disable(): void {
    this.asked.push('disable');
  }

  write(file: string, text: string): void {
    this.asked.push(`write ${file} ${text}`);
  }

  replace(file: string, text: string): void {
    this.asked.push(`replace ${file} ${text}`);
  }

  lostSoFar(): ReadonlyMap<number, LostEvents> {
    return this.counters;
  }

  remove(): void {
    this.asked.push('remove');
  }
}
