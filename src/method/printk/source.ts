/** The printk method: the lines of examples/printk-module, read from /dev/kmsg as they come. */
import { RxError } from '../../base/errors.js';
import type { StageWay } from '../../record/source.js';
import type { ClockOffset } from '../../sys/clock.js';
import { KernelLog, type LogRecord } from '../../sys/kernel-log.js';
import { localClockOffset } from '../../sys/local-clock.js';
import { type PrintkModule, printkModule } from '../../sys/printk-module.js';
import { BasicSource } from '../basic-source.js';
import type { MethodRequest } from '../method.js';
import { INTERRUPT_WORDS, parseInterruptLine } from './line.js';

/** How often the two clocks are compared again, and the module's counters read: they drift by some 10 ns per ms. */
const LOOK_NS = 100_000_000;

/** A running session. Errors: RXS_SYS. */
export class PrintkSource extends BasicSource {
  readonly ways: readonly StageWay[];
  readonly programs: readonly string[] = ['irq_printk'];
  override readonly notes: readonly string[];
  private readonly log: KernelLog;
  private readonly irqs: ReadonlySet<number>;
  private readonly cpus: ReadonlySet<number> | undefined;
  private clock: ClockOffset | undefined;
  private module: PrintkModule | undefined;
  private nextLook = LOOK_NS;
  private until = Number.POSITIVE_INFINITY;

  constructor({ irqs, cpus }: MethodRequest) {
    super('printk');
    this.irqs = new Set(irqs.map(({ irq }) => irq));
    this.cpus = cpus === undefined ? undefined : new Set(cpus);
    this.module = printkModule();
    this.clock = localClockOffset();
    this.log = new KernelLog();
    const detail = this.module?.detail ?? false;
    const place = detail ? (this.module?.place ?? 'flow handler') : 'flow handler';
    this.ways = [
      {
        stage: 'entry',
        hook: `printk by a kprobe on ${place === 'flow handler' ? 'the flow handler' : place}`,
        reasons: detail ? [] : ['the time is that of printing: irq_printk is loaded without detail=1'],
      },
    ];
    this.notes = [...(detail ? [] : lessDetail(this.clock)), OVERCOUNT];
  }

  protected read(): number {
    const now = this.now();
    if (now >= this.nextLook) {
      this.nextLook = now + LOOK_NS;
      this.clock = localClockOffset() ?? this.clock;
      this.count();
    }
    let lines = 0;
    this.log.read((record) => void (lines += this.take(record)));
    this.lost('events_lost', -1, this.log.missing);
    this.lost('not_understood', -1, this.log.damaged);
    this.log.missing = this.log.damaged = 0;
    return lines;
  }

  /** @returns 1 for a line of an interrupt that is wanted */
  private take(record: LogRecord): number {
    if (!record.text.includes(INTERRUPT_WORDS)) return 0;
    const line = parseInterruptLine(record.text);
    if (line === undefined) {
      this.lost('not_understood', -1, 1);
      return 0;
    }
    const { irq, vector, time } = line;
    const cpu = line.cpu >= 0 ? line.cpu : record.cpu;
    if (!this.irqs.has(irq) || (this.cpus !== undefined && !this.cpus.has(cpu))) return 0;
    const printed = BigInt(record.micros) * 1000n + (this.clock?.offset ?? 0n);
    const entry = Number((time ?? printed) - this.base);
    if (entry > this.until) return 0;
    const none = Number.NaN;
    this.onInterrupt({ irq, vector, cpu, entry, claim: none, isr: none, exit: none, napiId: 0 });
    return 1;
  }

  /** What the module and the kernel left out since the last look. */
  private count(): void {
    const before = this.module;
    const now = printkModule();
    if (before !== undefined && now === undefined) {
      throw new RxError('RXS_NO_METHOD', {
        doing: 'reading the lines of',
        subject: 'irq_printk',
        why: 'the module was unloaded',
        hint: 'load it again, and start again',
      });
    }
    if (before !== undefined && now !== undefined) {
      this.lost('events_lost', -1, now.skipped - before.skipped);
      this.lost('probe_missed', -1, now.missed - before.missed);
    }
    this.module = now;
  }

  /** The module is the user's, and goes on; its lines from now on are not ours. */
  protected detach(): void {
    this.until = this.now();
    this.count();
  }

  protected release(): void {
    this.log.close();
  }
}

function lessDetail(clock: ClockOffset | undefined): string[] {
  return [
    `printk's times are those of printing, some µs behind the entry, rounded down to 1 µs, and converted from local_clock (±${clock?.error ?? 0} ns, looked at every 100 ms); irq_printk with detail=1 tells when the interrupt was entered, and on which CPU`,
  ];
}

const OVERCOUNT =
  'records of the kernel’s log that were overwritten, and probe hits that the kernel left out, count as lost: which of them were these interrupts’ is not known';
