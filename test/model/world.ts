/**
 * A machine that receives packets: NIC, CPUs, interrupts, NAPI. It follows the kernel where that decides what a stamp is
 * worth: napi_schedule_prep and NAPIF_STATE_MISSED, napi_complete_done, budgets and repolls, ksoftirqd, threaded NAPI,
 * busy polling, timers. What it does is told to the {@link Tracer}; what was really so goes into the {@link Truth}.
 */
import { CONTEXT, type Lane } from '../../src/record/lane.js';
import { Driver, type Kernel } from './driver.js';
import { Events } from './events.js';
import { type MachinePlan, nextRun, oneQueue } from './machine.js';
import { Ring, Vector } from './nic.js';
import { Cpu, type Job, Napi, type Poll, type Reason, type Truth } from './parts.js';
import type { Random } from './random.js';
import { Tracer, type TracerFault } from './tracer.js';

const US = 1000;
const BUSY_BUDGET = 8;

/** A seed's machine at work. */
export class World implements Kernel {
  readonly truth: Truth = { arrival: [], how: [], napi: [] };
  readonly events = new Events();
  readonly plan: MachinePlan;
  readonly random: Random;
  readonly tracer: Tracer;
  private readonly cpus: readonly Cpu[];
  private readonly napis: readonly Napi[];
  private readonly driver = new Driver(this);
  private stopped = false;
  private seen = 0;
  private readonly wanted: number;

  constructor(
    plan: MachinePlan,
    random: Random,
    lanes: readonly Lane[],
    wanted: number,
    fault?: TracerFault,
  ) {
    this.plan = plan;
    this.random = random;
    this.wanted = wanted;
    this.events.now = 1_000_000;
    const hook = (): number => 1_000_000 + plan.attachNs + random.between(0, 300 * US);
    const [interrupt, softirq, start, end, packet] = [hook(), hook(), hook(), hook(), hook()].toSorted(
      (a, b) => a - b,
    ) as [number, number, number, number, number];
    const attached = { interrupt, softirq, start, end, packet };
    this.tracer = new Tracer(lanes, plan.hooks, attached, oneQueue(plan, fault), fault);
    this.cpus = lanes.map((_, id) => new Cpu(id));
    let queue = 0;
    this.napis = plan.vectors.map(({ irq, cpu, rings }, index) => {
      const own = Array.from({ length: rings }, () => new Ring(++queue));
      const vector = new Vector(irq, cpu, own, plan, this.events, random, (sent) => this.deliver(sent, napi));
      const napi = new Napi(8193 + index, vector, rings === 1 ? queue : 0, random.between(0, plan.cpus - 1));
      return napi;
    });
  }

  /** Runs until as many packets as wanted were seen, and everything is at rest. */
  run(): void {
    for (const napi of this.napis) {
      for (const ring of napi.vector.rings) this.traffic(napi.vector, ring);
      const { transmitNs } = this.plan.vectors[napi.id - 8193] as MachinePlan['vectors'][number];
      if (transmitNs > 0) this.often(transmitNs, () => napi.vector.raise());
      if (this.plan.watchdogNs > 0) this.often(this.plan.watchdogNs, () => napi.vector.raise());
      if (this.plan.busyPollEveryNs > 0) this.often(this.plan.busyPollEveryNs, () => this.busyPoll(napi));
      if (this.plan.movesAffinity)
        this.often(3_000_000, () => {
          napi.vector.cpu = this.random.between(0, this.plan.cpus - 1);
        });
    }
    for (const cpu of this.cpus) {
      this.often(this.plan.irqsOffEveryNs, () => {
        // A softirq or a handler that runs is not interrupted by code that disables interrupts.
        if (cpu.running && this.random.chance(0.7)) return;
        this.irqsOff(cpu, this.random.between(1, this.plan.irqsOffNs));
      });
    }
    while (this.events.step());
  }

  private irqsOff(cpu: Cpu, duration: number): void {
    cpu.irqsOffUntil = Math.max(cpu.irqsOffUntil, this.events.now + duration);
  }

  private after(delay: number, run: () => void): void {
    this.events.at(this.events.now + delay, run);
  }

  afterOn(cpu: Cpu, delay: number, run: () => void): void {
    const time = this.events.now + delay;
    const again = (): void => {
      if (cpu.irqsOffUntil > this.events.now) this.events.at(cpu.irqsOffUntil, again);
      else run();
    };
    this.events.at(time, again);
  }

  private often(mean: number, run: () => void): void {
    this.after(this.random.exponential(mean), () => {
      if (this.stopped) return;
      run();
      this.often(mean, run);
    });
  }

  private traffic(vector: Vector, ring: Ring): void {
    const { packets, gapNs, kind } = nextRun(this.random);
    const next = (left: number): void => {
      if (this.stopped) return;
      if (left === 0) {
        this.after(this.random.exponential(kind === 'lone' ? 1 : this.random.scale(20 * US, 3_000_000)), () =>
          this.traffic(vector, ring),
        );
        return;
      }
      this.after(this.random.exponential(gapNs), () => {
        this.arrive(vector, ring);
        next(left - 1);
      });
    };
    next(packets);
  }

  private arrive(vector: Vector, ring: Ring): void {
    if (ring.waiting.length >= this.plan.ringSize) return;
    const { truth } = this;
    const id = truth.arrival.length;
    truth.arrival.push(this.events.now);
    truth.how.push(-1);
    truth.napi.push(0);
    ring.waiting.push({ id, visible: !this.random.chance(this.plan.invisible) });
    vector.raise();
  }

  counted(): void {
    this.seen++;
    if (this.seen >= this.wanted) this.stopped = true;
  }

  // Interrupts.

  private deliver(vector: Vector, napi: Napi): void {
    // One message of a vector waits in the local APIC at a time.
    if (napi.latched) return;
    napi.latched = true;
    const cpu = this.cpus[vector.cpu] as Cpu;
    this.afterOn(cpu, this.random.between(50, this.plan.deliveryNs), () => this.handle(cpu, napi));
  }

  private handle(cpu: Cpu, napi: Napi): void {
    napi.latched = false;
    const { random } = this;
    const entry = this.events.now + random.between(20, 300);
    const isr = entry + random.between(100, 2000);
    const raise = isr + random.between(50, 1000);
    const exit = raise + random.between(50, 500);
    cpu.irqsOffUntil = Math.max(cpu.irqsOffUntil, exit);
    this.events.at(isr, () => {
      this.tracer.isr(cpu.id, napi.vector.irq, napi.queueOfLine, entry, isr);
      napi.vector.maskByHandler();
    });
    this.events.at(raise, () => {
      const running = (cpu.running && this.plan.raisesOnce) || this.plan.threaded;
      this.tracer.raise(cpu.id, napi.id, napi.scheduled, running, raise);
      if (napi.scheduled) napi.missed = true;
      else this.schedule(napi, cpu, { kind: 'irq', entry });
    });
  }

  // NAPI.

  private schedule(napi: Napi, cpu: Cpu, reason: Reason): void {
    napi.scheduled = true;
    if (this.plan.threaded) {
      const thread = this.cpus[napi.thread] as Cpu;
      this.enqueue(thread, { napi, context: CONTEXT.threaded, reason }, this.random.between(500, 60 * US));
      return;
    }
    const late = this.plan.ksoftirqdNs > 0 && this.random.chance(0.2);
    const delay = late ? this.random.between(US, this.plan.ksoftirqdNs) : this.random.between(200, 3000);
    this.enqueue(cpu, { napi, context: late ? CONTEXT.ksoftirqd : CONTEXT.softirq, reason }, delay);
  }

  private enqueue(cpu: Cpu, job: Job, delay: number): void {
    cpu.jobs.push(job);
    if (cpu.running || cpu.waking) return;
    cpu.waking = true;
    this.afterOn(cpu, delay, () => {
      cpu.waking = false;
      if (cpu.running) return;
      if (cpu.jobs[0]?.context !== CONTEXT.threaded && cpu.jobs[0]?.context !== CONTEXT.busyPoll)
        this.tracer.softirq(cpu.id, this.events.now);
      this.next(cpu);
    });
  }

  private next(cpu: Cpu): void {
    const job = cpu.jobs.shift();
    cpu.running = job !== undefined;
    if (job !== undefined) this.afterOn(cpu, this.random.between(50, 500), () => this.begin(cpu, job));
  }

  private begin(cpu: Cpu, job: Job): void {
    const busy = job.context === CONTEXT.busyPoll;
    const poll: Poll = {
      job,
      cpu,
      budget: busy ? BUSY_BUDGET : this.plan.budget,
      ring: -1,
      taken: 0,
      there: 0,
      full: false,
      work: 0,
      handed: 0,
      held: [],
      spurious: false,
    };
    // An interrupt whose packets a poll had taken before it scheduled this one: nothing of this poll is its.
    const { reason } = job;
    const late =
      reason.kind === 'irq' && job.napi.vector.rings.every(({ emptyAt }) => emptyAt >= reason.entry);
    if (late) poll.spurious = true;
    if (!busy) this.tracer.pollStart(cpu.id, job.napi.id, this.events.now);
    this.driver.poll(poll);
  }

  complete(poll: Poll, work: number, enabled: () => void = () => {}): void {
    const { plan, random } = this;
    const { napi } = poll.job;
    const byIndex = plan.masking === 'event-index';
    if (byIndex && !poll.job.keeps) napi.vector.arm();
    this.afterOn(poll.cpu, random.between(50, 800), () => {
      const leave = (then: 'done' | 'again' | 'busy'): void =>
        // Another device's handler may come before the poll is seen to end.
        this.afterOn(poll.cpu, random.between(50, random.chance(plan.lateEnds) ? 40 * US : 600), () =>
          this.end(poll, work, then),
        );
      if (poll.job.keeps) {
        leave('busy');
        return;
      }
      if (napi.missed) {
        napi.missed = false;
        if (byIndex) napi.vector.disarm();
        this.schedule(napi, poll.cpu, { kind: 'missed' });
        leave('done');
        return;
      }
      napi.scheduled = false;
      if (plan.deferNs > 0 && poll.work > 0 && napi.deferred < 3) {
        napi.deferred++;
        this.timer(napi, poll.cpu, plan.deferNs);
        if (byIndex) napi.vector.disarm();
        leave('done');
        return;
      }
      napi.deferred = 0;
      if (plan.flushNs > 0 && random.chance(0.5)) this.timer(napi, poll.cpu, plan.flushNs);
      if (byIndex) {
        // virtqueue_napi_complete: looks once more.
        if (napi.vector.rings.some((ring) => ring.waiting.length > 0)) {
          napi.vector.disarm();
          this.schedule(napi, poll.cpu, { kind: 'kernel' });
        }
      } else {
        this.after(random.between(50, 1000), () => {
          napi.vector.enable();
          enabled();
        });
      }
      leave('done');
    });
  }

  private timer(napi: Napi, cpu: Cpu, ns: number): void {
    this.afterOn(cpu, ns, () => {
      if (!napi.scheduled) this.schedule(napi, cpu, { kind: 'timer' });
    });
  }

  end(poll: Poll, work: number, then: 'done' | 'again' | 'busy'): void {
    const { job, cpu } = poll;
    const { napi } = job;
    this.tracer.pollEnd(cpu.id, napi.id, this.events.now, work, poll.budget, job.context);
    if (job.context === CONTEXT.busyPoll) this.busyEnd(cpu, job, then);
    else if (then === 'again') cpu.jobs.push({ napi, context: job.context, reason: { kind: 'repoll' } });
    this.next(cpu);
  }

  // Busy polling: napi_busy_loop.

  private busyPoll(napi: Napi): void {
    if (napi.scheduled) return;
    napi.scheduled = true;
    const cpu = this.cpus[this.random.between(0, this.plan.cpus - 1)] as Cpu;
    this.enqueue(
      cpu,
      { napi, context: CONTEXT.busyPoll, reason: { kind: 'busy' }, keeps: true },
      this.random.between(100, 2000),
    );
  }

  private busyEnd(cpu: Cpu, { napi, keeps }: Job, then: 'done' | 'again' | 'busy'): void {
    // busy_poll_stop: a last poll that may complete, then the softirq goes on with what is left.
    if (!keeps) {
      if (then === 'again')
        cpu.jobs.push({
          napi,
          context: CONTEXT.softirq,
          reason: { kind: this.plan.budget === BUSY_BUDGET ? 'repoll' : 'kernel' },
        });
      return;
    }
    const goesOn = !this.random.chance(0.1);
    cpu.jobs.push({ napi, context: CONTEXT.busyPoll, reason: { kind: 'busy' }, keeps: goesOn });
  }
}
