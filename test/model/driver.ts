/** The poll function of a modelled driver: looks at the rings, hands over what it finds, says how it went. */
import { HOW, type How } from '../../src/packet/arrival.js';
import { CONTEXT } from '../../src/record/lane.js';
import type { Events } from './events.js';
import type { MachinePlan } from './machine.js';
import type { Arrived, Ring } from './nic.js';
import type { Cpu, Poll, Truth } from './parts.js';
import type { Random } from './random.js';
import type { Tracer } from './tracer.js';

/** What the driver leaves to the kernel around it. */
export interface Kernel {
  readonly plan: MachinePlan;
  readonly random: Random;
  readonly events: Events;
  readonly tracer: Tracer;
  readonly truth: Truth;
  /** On a CPU: not before interrupts, and whatever else holds it, let it go on. */
  afterOn(cpu: Cpu, delay: number, run: () => void): void;
  /** napi_complete_done, and enabling the interrupt. */
  complete(poll: Poll, work: number, enabled?: () => void): void;
  /** Behind the poll function. */
  end(poll: Poll, work: number, then: 'done' | 'again' | 'busy'): void;
  /** A packet that the trace has seen. */
  counted(): void;
}

/** The driver. */
export class Driver {
  private readonly kernel: Kernel;

  constructor(kernel: Kernel) {
    this.kernel = kernel;
  }

  /** Runs its poll function. */
  poll(poll: Poll): void {
    this.nextRing(poll);
  }

  private nextRing(poll: Poll): void {
    poll.ring++;
    poll.taken = 0;
    const ring = poll.job.napi.vector.rings[poll.ring];
    if (ring === undefined) {
      this.lookedAtAll(poll);
      return;
    }
    this.kernel.afterOn(poll.cpu, this.kernel.random.between(100, 1500), () => {
      poll.there = ring.waiting.length;
      if (this.kernel.plan.handover === 'counted' && poll.there <= poll.budget)
        ring.emptyAt = this.kernel.events.now;
      this.look(poll, ring);
    });
  }

  /** The driver looks at the next descriptor. */
  private look(poll: Poll, ring: Ring): void {
    const { plan } = this.kernel;
    const share = Math.max(1, Math.floor(poll.budget / poll.job.napi.vector.rings.length));
    if (poll.taken >= share) {
      poll.full = true;
      this.nextRing(poll);
      return;
    }
    if (plan.handover === 'counted' && poll.taken >= poll.there) {
      this.nextRing(poll);
      return;
    }
    const packet = ring.waiting.shift();
    if (packet === undefined) {
      ring.emptyAt = this.kernel.events.now;
      this.nextRing(poll);
      return;
    }
    poll.taken++;
    poll.work++;
    if (packet.visible) this.take(poll, ring, packet);
    this.kernel.afterOn(poll.cpu, this.kernel.random.between(100, 1500), () => this.look(poll, ring));
  }

  private take(poll: Poll, ring: Ring, packet: Arrived): void {
    const { held } = poll;
    held.push(packet);
    const { handover } = this.kernel.plan;
    if (handover === 'list') return;
    if (handover === 'pipeline' && held.length < 2) return;
    this.hand(poll, held.shift() as Arrived, ring.queue, false);
  }

  private hand(poll: Poll, packet: Arrived, queue: number, listed: boolean): void {
    const { plan, random, truth } = this.kernel;
    const lost = random.chance(plan.lost);
    const stackCpu = random.between(0, plan.cpus);
    truth.how[packet.id] = this.howOf(poll);
    truth.napi[packet.id] = poll.job.napi.id;
    poll.handed++;
    const shown = plan.recordsQueue ? queue : 0;
    if (
      this.kernel.tracer.packet(
        poll.cpu.id,
        poll.job.napi.id,
        { id: packet.id, queue: shown, listed, lost, stackCpu },
        this.kernel.events.now,
      )
    )
      this.kernel.counted();
  }

  private howOf({ job, handed, spurious }: Poll): How {
    const { reason, context } = job;
    if (context === CONTEXT.busyPoll) return HOW.busyPoll;
    if (reason.kind === 'repoll') return HOW.repoll;
    if (reason.kind !== 'irq' || spurious) return HOW.polled;
    if (handed > 0) return HOW.batch;
    return HOW.ownIrq;
  }

  /** Behind the last look at the last ring. */
  private lookedAtAll(poll: Poll): void {
    const { held } = poll;
    const listed = this.kernel.plan.handover === 'list';
    const { rings } = poll.job.napi.vector;
    const flush = (): void => {
      const packet = held.shift();
      if (packet === undefined) {
        this.answer(poll);
        return;
      }
      // All packets of a list of several rings go as one.
      this.hand(poll, packet, rings.length === 1 ? (rings[0] as Ring).queue : 0, listed);
      this.kernel.afterOn(poll.cpu, this.kernel.random.between(50, 300), flush);
    };
    if (held.length === 0) this.answer(poll);
    else this.kernel.afterOn(poll.cpu, this.kernel.random.between(50, 2000), flush);
  }

  private answer(poll: Poll): void {
    const { plan, random } = this.kernel;
    const { napi } = poll.job;
    if (poll.full) {
      if (plan.affinityChanges && random.chance(0.3)) {
        // i40e_force_wb: an interrupt on the new CPU goes on with it.
        this.kernel.complete(poll, poll.budget - 1, () => napi.vector.raise());
        return;
      }
      this.kernel.afterOn(poll.cpu, random.between(50, 600), () =>
        this.kernel.end(poll, poll.budget, 'again'),
      );
      return;
    }
    this.kernel.complete(poll, Math.min(poll.work, poll.budget - 1));
  }
}
