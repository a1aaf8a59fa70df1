/** The NIC of the model: rings, causes, moderation, masking. It knows when each packet really arrived. */
import type { Events } from './events.js';
import type { MachinePlan } from './machine.js';
import type { Random } from './random.js';

/** A packet in a ring. */
export interface Arrived {
  /** Its row in the truth. */
  readonly id: number;
  readonly visible: boolean;
}

/** One receive ring. */
export class Ring {
  readonly waiting: Arrived[] = [];
  /** When a poll last found nothing more in it. */
  emptyAt = 0;
  /** Receive queue + 1. */
  readonly queue: number;

  constructor(queue: number) {
    this.queue = queue;
  }
}

/** One vector: what raises it, and when it may be sent. */
export class Vector {
  cpu: number;
  readonly irq: number;
  readonly rings: readonly Ring[];
  private masked = false;
  /** `armed` and `event-index`: an interrupt may be sent. */
  private armed = true;
  private cause = false;
  private timer = false;
  private lastSent = Number.NEGATIVE_INFINITY;
  private moderation: number;
  private readonly plan: MachinePlan;
  private readonly events: Events;
  private readonly random: Random;
  private readonly send: (vector: Vector) => void;

  constructor(
    irq: number,
    cpu: number,
    rings: readonly Ring[],
    plan: MachinePlan,
    events: Events,
    random: Random,
    send: (vector: Vector) => void,
  ) {
    this.irq = irq;
    this.cpu = cpu;
    this.rings = rings;
    this.plan = plan;
    this.events = events;
    this.random = random;
    this.send = send;
    this.moderation = plan.moderationNs;
  }

  private get byArming(): boolean {
    return this.plan.masking === 'armed' || this.plan.masking === 'event-index';
  }

  /** Something to tell: a packet was written, a transmit is done, the driver's watchdog. */
  raise(): void {
    this.cause = true;
    this.consider();
  }

  /** Starts the moderation timer, if there is something to send and it may be sent. */
  private consider(): void {
    const blocked = this.byArming ? !this.armed : this.masked;
    if (blocked || !this.cause || this.timer) return;
    const { now } = this.events;
    const from =
      this.plan.throttle === 'interval'
        ? Math.max(now, this.lastSent + this.moderation)
        : now + this.moderation;
    this.timer = true;
    this.events.at(from + this.random.between(0, 200), () => {
      this.timer = false;
      this.fire();
    });
  }

  private fire(): void {
    const blocked = this.byArming ? !this.armed : this.masked;
    if (blocked || !this.cause) return;
    this.cause = false;
    this.armed = false;
    if (this.plan.masking === 'mask') this.masked = true;
    this.lastSent = this.events.now;
    this.send(this);
  }

  /** The handler's write. */
  maskByHandler(): void {
    if (this.plan.masking === 'isr-mask') this.masked = true;
  }

  /** The driver's write behind a poll that is done, as it reaches the NIC. */
  enable(): void {
    if (this.plan.adaptive) this.moderation = this.random.between(0, this.plan.moderationNs);
    this.masked = false;
    if (this.byArming) this.arm();
    this.consider();
  }

  /** One interrupt for what is not taken yet, or comes next; what came before is forgotten. */
  arm(): void {
    this.armed = true;
    this.cause = this.rings.some((ring) => ring.waiting.length > 0);
    this.consider();
  }

  /** virtqueue_disable_cb: the poll goes on. */
  disarm(): void {
    this.armed = false;
  }
}
