/** What methods outside of eBPF have in common as sources: lanes, a clock, a ledger, an end that comes once. */
import { RxError } from '../base/errors.js';
import { Lane } from '../record/lane.js';
import type { Loss, LossCause } from '../record/loss.js';
import type { FilterCounter, InterruptRecord, Listened, StageWay, TraceSource } from '../record/source.js';
import { possibleCpuCount } from '../sys/cpus.js';
import { clockNow } from '../sys/libc.js';
import type { MethodName } from './names.js';

/** Base of a method's source: it says what to read and how to end. */
export abstract class BasicSource implements TraceSource {
  readonly base: bigint = clockNow('mono');
  readonly lanes: readonly Lane[] = Array.from({ length: possibleCpuCount() }, (_, cpu) => new Lane(cpu));
  abstract readonly ways: readonly StageWay[];
  abstract readonly programs: readonly string[];
  readonly notes: readonly string[] = [];
  drainedTo = 0;
  onLater: TraceSource['onLater'] = () => {};
  onInterrupt: (interrupt: InterruptRecord) => void = () => {};
  onLoss: (loss: Loss) => void = () => {};
  onHardwareStep: (step: number) => void = () => {};
  private stopped = false;
  private closed = false;
  private readonly method: MethodName;

  protected constructor(method: MethodName) {
    this.method = method;
  }

  now(): number {
    return Number(clockNow('mono') - this.base);
  }

  /** Reads what there is. @returns events read; all that were stamped before the call must be among them */
  protected abstract read(): number;

  /** Takes the hooks off; called once. What they have recorded is still read afterwards. */
  protected abstract detach(): void;

  /** Gives everything back; called once, after {@link detach}. */
  protected abstract release(): void;

  drain(): number {
    const now = this.now();
    const events = this.read();
    this.drainedTo = now;
    return events;
  }

  stop(): void {
    if (this.stopped) return;
    this.stopped = true;
    this.detach();
  }

  close(): void {
    this.stop();
    if (this.closed) return;
    this.closed = true;
    this.release();
  }

  /** Notes events lost between the last drain and now. @param cpu -1: of no CPU in particular */
  protected lost(cause: LossCause, cpu: number, count: number): void {
    if (count > 0) this.onLoss({ cause, cpu, count, from: this.drainedTo, to: this.now() });
  }

  filtered(_counter: FilterCounter): number {
    return 0;
  }

  dropReasonName(): string | undefined {
    return undefined;
  }

  follow({ irqs }: Listened): void {
    throw new RxError('RXS_NO_IRQ', {
      doing: `following the interface's new interrupts ${irqs.map(({ irq }) => irq).join(', ')} with`,
      subject: `--method ${this.method}`,
      why: 'this method listens to what there was when it began',
      hint: 'start the trace again, or use --method ebpf',
    });
  }
}
