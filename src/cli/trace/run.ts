/** `rxstamp trace`: start, drain until told to stop, sum up. */
import { EXIT } from '../../base/errors.js';
import { type ArrivalFacts, PacketCursor } from '../../packet/arrival.js';
import { IN_FLIGHT_NS, Joiner } from '../../packet/join.js';
import { Selection } from '../../packet/selection.js';
import { type InterruptRecord, type TraceSource, interruptEnd, interruptStart } from '../../record/source.js';
import { LossLedger } from '../../record/loss.js';
import { FORMATS } from '../../report/format/index.js';
import type { Change, Format, TraceMeta } from '../../report/format/format.js';
import type { Lookups } from '../../report/lookups.js';
import { Merges } from '../../report/merges.js';
import { Summary } from '../../report/summary.js';
import { endBy } from '../../sys/end.js';
import { kernelRelease } from '../../sys/kernel-config.js';
import { exitNow } from '../../sys/libc.js';
import { Output } from '../../sys/output.js';
import { version } from '../../sys/package.js';
import { stageIndex } from '../../stages.js';
import { checkPrivileges, checkProcesses, checkStamped, checkTold } from './check.js';
import { askFacts, renewing } from './facts.js';
import { MOST_NOTES, clockSetText, openHardware } from './hardware.js';
import { type TraceOptions, readOptions } from './options.js';
import { ShownClock } from './shown-clock.js';
import { type Target, resolveTarget } from './target.js';
import { startMethod } from './method.js';
import { type Followed, Watcher } from './watch.js';

/** How long to sleep between looks into the rings: short while packets come, longer when it is quiet. */
const BUSY_MS = 4;
const QUIET_MS = 20;

/** Runs a trace. @returns the exit code: 3 when events were lost */
export async function runTrace(
  words: readonly string[],
  raw: Readonly<Record<string, string | boolean | undefined>>,
): Promise<number> {
  const options = readOptions(words, raw);
  const target = resolveTarget(options);
  checkPrivileges();
  checkProcesses(options.pids);
  const asked = askFacts(target.nics);
  const hardware = await openHardware(target.nics, options.hwTimestamps);
  try {
    const session = await startMethod(options, target, hardware.options);
    endBy(exitNow);
    try {
      checkStamped(options, session.ways);
      for (const note of session.notes) process.stderr.write(`note: ${note}\n`);
      if (!options.interrupts) {
        const drivers = target.nics.map((nic) => nic.driver);
        checkTold(target.ebpf.irqOnly, drivers, session.programs);
      }
      const has = (program: string): boolean => session.programs.includes(program);
      const facts = { ...(await asked), tied: has('napi_prep'), starts: has('napi_poll_start') };
      const trace = new Trace(options, target, session, facts);
      const nics = renewing(facts);
      const follow: Followed['follow'] = (to) => session.follow(to);
      const watcher = new Watcher(target, { follow, nics, tell: (change) => trace.tell(change) });
      trace.onTurn = () => watcher.turn(performance.now());
      if (hardware.stopped()) trace.stop();
      try {
        return await trace.run();
      } finally {
        watcher.close();
      }
    } finally {
      session.close();
    }
  } finally {
    hardware.close();
  }
}

/** One run of the command. */
class Trace {
  private readonly output = new Output();
  private readonly summary: Summary;
  private readonly selection: Selection;
  private readonly merges = new Merges();
  /** Whether anything behind the stack is looked at: only there packets are merged, read or dropped. */
  private readonly further: boolean;
  private readonly ledger = new LossLedger();
  private readonly cursor = new PacketCursor();
  private readonly joiner: Joiner;
  private readonly clock: ShownClock;
  private readonly format: Format;
  private readonly options: TraceOptions;
  private readonly session: TraceSource;
  /** Interrupts of all CPUs, to be put in order. */
  private pending: InterruptRecord[] = [];
  /** Called between two looks into the rings. */
  onTurn: () => void = () => {};
  private stopping = false;
  private wake: () => void = () => {};

  constructor(options: TraceOptions, target: Target, session: TraceSource, facts: ArrivalFacts) {
    this.options = options;
    this.session = session;
    this.joiner = new Joiner(session, options.until, facts, { waitNs: options.waitNs });
    this.clock = new ShownClock(options.clock, session.base);
    const stamped = session.ways.filter((way) => way.hook !== undefined).map((way) => way.stage);
    this.further = stamped.some((stage) => stageIndex(stage) > stageIndex('stack'));
    const lookups = this.lookups();
    this.selection = new Selection(options);
    this.summary = new Summary(stamped, lookups);
    if (this.selection.narrows || target.ebpf.filter !== undefined)
      this.summary.stopped = this.selection.stopped;
    this.format = FORMATS[options.format](this.clock.timeline, stamped, lookups);
    this.output.write(this.format.header(traceMeta(options, target, session, this.clock.error)));
    session.onLoss = (loss) => {
      this.ledger.add(loss);
      this.output.write(this.format.loss(loss));
    };
    let notes = 0;
    session.onHardwareStep = (step) =>
      void (notes++ < MOST_NOTES && process.stderr.write(clockSetText(step)));
    session.onInterrupt = (interrupt) => this.pending.push(interrupt);
  }

  async run(): Promise<number> {
    const stop = (): void => this.stop();
    const until = this.session.now() + (this.options.durationNs ?? Number.POSITIVE_INFINITY);
    // Never taken off again: a signal during or behind the last lines must not cost the summary or the exit code.
    process.on('SIGINT', stop).on('SIGTERM', stop).on('SIGHUP', stop);
    this.output.flush();
    while (!this.stopping) {
      const records = this.session.drain();
      this.summary.records += records;
      this.emit(false);
      this.clock.follow((note) => void process.stderr.write(`${note}\n`));
      this.onTurn();
      const left = until - this.session.now();
      if (this.full() || this.output.closed || left <= 0) break;
      await this.sleep(Math.min(records > 0 ? BUSY_MS : QUIET_MS, Math.ceil(left / 1e6)));
    }
    this.session.stop();
    this.summary.records += this.session.drain();
    this.emit(true);
    this.finish();
    return this.ledger.total() > 0 ? EXIT.loss : EXIT.ok;
  }

  /** Says what has changed about the interface: to people always, and where the format has a place for it. */
  tell(change: Change): void {
    process.stderr.write(`note: ${change.text}\n`);
    this.output.write(this.format.note?.(this.session.now(), change) ?? '');
  }

  private lookups(): Lookups {
    return {
      task: (tid) => this.joiner.taskName(tid),
      dropReason: (reason) => this.session.dropReasonName(reason),
      mergedInto: (cursor) => this.merges.into(cursor),
      mergedFrom: (cursor) => this.merges.from(cursor),
    };
  }

  /** Ends the trace at the next turn. */
  stop(): void {
    this.stopping = true;
    this.wake();
  }

  private sleep(ms: number): Promise<void> {
    if (this.stopping) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  private full(): boolean {
    const seen = this.options.interrupts ? this.summary.interrupts : this.summary.packets;
    return this.options.count !== undefined && seen >= this.options.count;
  }

  private emit(final: boolean): void {
    this.joiner.begin(final);
    const { packetBytes } = this.format;
    const write = (bytes: Uint8Array, at: number): number => packetBytes!.write(this.cursor, bytes, at);
    while (!(this.full() && !this.options.interrupts) && this.joiner.next(this.cursor, final)) {
      if (!this.selection.admits(this.cursor)) continue;
      this.summary.count(this.cursor);
      if (this.options.interrupts) continue;
      if (this.further) this.merges.note(this.cursor, this.summary.packets);
      if (packetBytes === undefined) this.output.write(this.format.packet(this.cursor, this.summary.packets));
      else this.output.fill(packetBytes.most, write);
    }
    this.joiner.end();
    if (this.options.interrupts) this.emitInterrupts(final);
    this.output.flush();
  }

  private emitInterrupts(final: boolean): void {
    const complete = final ? Number.POSITIVE_INFINITY : this.session.drainedTo - IN_FLIGHT_NS;
    this.pending.sort((a, b) => interruptStart(a) - interruptStart(b));
    const ready = this.pending.filter((interrupt) => interruptEnd(interrupt) <= complete);
    this.pending = this.pending.filter((interrupt) => interruptEnd(interrupt) > complete);
    for (const interrupt of ready) {
      if (this.full()) return;
      this.summary.interrupts++;
      this.output.write(this.format.interrupt(interrupt, this.summary.interrupts));
    }
  }

  private finish(): void {
    const { stopped } = this.selection;
    stopped.expression += this.session.filtered('unmatched');
    stopped.unreadable += this.session.filtered('unreadable');
    stopped.faster += this.session.filtered('faster');
    stopped.unstamped += this.session.filtered('unstamped');
    this.summary.unmatchedStages = this.joiner.unmatchedStages;
    this.summary.lateStages = this.joiner.late;
    this.output.write(this.format.summary(this.summary, this.ledger));
    this.output.flush();
    // Formats without a place for it: what was lost must be seen all the same.
    if (this.options.format === 'times' || this.options.format === 'csv') {
      const { summary, ledger } = this;
      const lines = [summary.text(ledger), ...summary.detailLines(), ...summary.lossLines(ledger)];
      process.stderr.write(`${lines.join('\n')}\n`);
    }
  }
}

function traceMeta(
  options: TraceOptions,
  target: Target,
  session: TraceSource,
  clockError: number,
): TraceMeta {
  const { irqs, queue, cpus, expression, count, durationNs, interrupts, slower, pids } = options;
  return {
    version: version(),
    kernel: kernelRelease(),
    started: new Date().toISOString(),
    clock: {
      name: { mono: 'monotonic', boot: 'boottime', real: 'realtime', tai: 'tai' }[options.clock],
      offsetErrorNs: clockError,
    },
    until: options.until,
    method: options.method,
    ways: session.ways,
    ringBytesPerCpu: target.ebpf.ringBytes,
    filter: { expression, irqs, queue, cpus, count, durationNs, interrupts, slower, pids },
    ...(target.on === undefined ? {} : { on: target.on }),
    interfaces: target.nics.map((nic) => ({
      name: nic.name,
      ifindex: nic.ifindex,
      driver: nic.driver,
      irqs: nic.irqs
        .filter(({ irq }) => target.ebpf.irqs.some((one) => one.irq === irq))
        .map(({ irq, role, queue: of, effectiveCpu, actions }) => ({
          irq,
          role,
          queue: of,
          cpu: effectiveCpu,
          actions,
        })),
    })),
  };
}
