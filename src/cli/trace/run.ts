/** `rxstamp trace`: start, drain until told to stop, sum up. */
import { EXIT } from '../../base/errors.js';
import { clearLeftovers } from '../../method/tracefs/door.js';
import type { ArrivalFacts } from '../../packet/arrival.js';
import type { FilterCounter, TraceSource } from '../../record/source.js';
import type { Change, TraceMeta } from '../../report/format/format.js';
import { endBy } from '../../sys/end.js';
import { kernelRelease } from '../../sys/kernel-config.js';
import { exitNow } from '../../sys/libc.js';
import { version } from '../../sys/package.js';
import { checkPrivileges, checkProcesses, checkStamped, checkTold } from './check.js';
import { askFacts, renewing } from './facts.js';
import { MOST_NOTES, clockSetText, openHardware } from './hardware.js';
import { Listing } from './listing.js';
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
    for (const note of clearLeftovers()) process.stderr.write(`note: ${note}\n`);
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
  private readonly listing: Listing;
  private readonly clock: ShownClock;
  private readonly options: TraceOptions;
  private readonly session: TraceSource;
  /** Called between two looks into the rings. */
  onTurn: () => void = () => {};
  private stopping = false;
  private wake: () => void = () => {};

  constructor(options: TraceOptions, target: Target, session: TraceSource, facts: ArrivalFacts) {
    this.options = options;
    this.session = session;
    this.clock = new ShownClock(options.clock, session.base);
    const { summary, selection } = (this.listing = new Listing(options, session, this.clock.timeline, facts));
    const counted = !Number.isNaN(session.filtered('unmatched'));
    if (selection.narrows || (target.ebpf.filter !== undefined && counted))
      summary.stopped = selection.stopped;
    this.listing.begin(traceMeta(options, target, session, this.clock.error));
    let notes = 0;
    session.onHardwareStep = (step) =>
      void (notes++ < MOST_NOTES && process.stderr.write(clockSetText(step)));
  }

  async run(): Promise<number> {
    const { listing } = this;
    const stop = (): void => this.stop();
    const until = this.session.now() + (this.options.durationNs ?? Number.POSITIVE_INFINITY);
    // Never taken off again: a signal during or behind the last lines must not cost the summary or the exit code.
    process.on('SIGINT', stop).on('SIGTERM', stop).on('SIGHUP', stop);
    listing.output.flush();
    while (!this.stopping) {
      const records = this.session.drain();
      listing.summary.records += records;
      listing.emit(false);
      this.clock.follow((note) => void process.stderr.write(`${note}\n`));
      this.onTurn();
      const left = until - this.session.now();
      if (listing.full() || listing.output.closed || left <= 0) break;
      await this.sleep(Math.min(records > 0 ? BUSY_MS : QUIET_MS, Math.ceil(left / 1e6)));
    }
    this.session.stop();
    listing.summary.records += this.session.drain();
    listing.emit(true);
    this.finish();
    return listing.ledger.total() > 0 ? EXIT.loss : EXIT.ok;
  }

  /** Says what has changed about the interface: to people always, and where the format has a place for it. */
  tell(change: Change): void {
    process.stderr.write(`note: ${change.text}\n`);
    this.listing.note(this.session.now(), change);
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

  private finish(): void {
    const { stopped } = this.listing.selection;
    const of = (counter: FilterCounter): number => this.session.filtered(counter) || 0;
    stopped.expression += of('unmatched');
    stopped.unreadable += of('unreadable');
    stopped.faster += of('faster');
    stopped.unstamped += of('unstamped');
    this.listing.finish();
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
