/** The machines of the model: what a seed chooses. */
import { type ArrivalFacts, type IrqFacts, SLACK_NS } from '../../src/packet/arrival.js';
import type { Random } from './random.js';
import type { TracerFault } from './tracer.js';

/**
 * How the NIC keeps interrupts apart.
 * - `mask`: sending one masks the vector (igb's EIAM); causes are kept while it is masked and sent when it is enabled
 * - `isr-mask`: the handler masks it, so a second one may be under way
 * - `armed`: one interrupt per arming, for what comes behind the position that was armed (mlx5's event queues)
 * - `event-index`: the same as virtio does it: armed before the last look, never masked
 */
export type Masking = 'mask' | 'isr-mask' | 'armed' | 'event-index';

/**
 * How the driver hands packets over.
 * - `at-once`: each before it looks for the next (igb)
 * - `pipeline`: each when the next was found, the last one behind the last look (sfc)
 * - `counted`: takes what was there when it began, and does not look again (mvneta)
 * - `list`: all of them behind the last look (netif_receive_skb_list)
 */
export type Handover = 'at-once' | 'pipeline' | 'counted' | 'list';

/** What the kernel lets be hooked. */
export interface Hooks {
  readonly entry: boolean;
  /** napi_schedule_prep; else interrupts are tied to polls by interface and queue. */
  readonly prep: boolean;
  readonly start: boolean;
}

/** One vector of the NIC with its NAPI instance. */
export interface VectorPlan {
  readonly irq: number;
  readonly cpu: number;
  readonly rings: number;
  /** Transmit completions on the same vector, mean ns between; 0: receive only. */
  readonly transmitNs: number;
}

/** Everything that a seed decides but the traffic. */
export interface MachinePlan {
  readonly cpus: number;
  readonly hooks: Hooks;
  readonly vectors: readonly VectorPlan[];
  readonly masking: Masking;
  readonly handover: Handover;
  readonly throttle: 'interval' | 'delay';
  /** Longest moderation, ns. */
  readonly moderationNs: number;
  readonly adaptive: boolean;
  readonly moderationKnown: boolean;
  /** Longest way from the NIC's decision to the CPU. */
  readonly deliveryNs: number;
  /** Longest time with interrupts off. */
  readonly irqsOffNs: number;
  readonly irqsOffEveryNs: number;
  /** The driver raises its vectors by itself; 0: never. */
  readonly watchdogNs: number;
  readonly budget: number;
  readonly ringSize: number;
  /** Answers budget - 1 now and then although packets are left (the affinity changed). */
  readonly affinityChanges: boolean;
  /** Polls are delayed into ksoftirqd: the longest delay, ns; 0: never. */
  readonly ksoftirqdNs: number;
  readonly threaded: boolean;
  /** NET_RX is not raised again while it runs: kernels since 6.4. */
  readonly raisesOnce: boolean;
  readonly busyPollEveryNs: number;
  /** napi_defer_hard_irqs with gro_flush_timeout, ns; 0: off. */
  readonly deferNs: number;
  /** gro_flush_timeout alone, ns; 0: off. */
  readonly flushNs: number;
  /** Share of packets that never reach the stack: XDP_DROP, bad checksums of the frame. */
  readonly invisible: number;
  /** Share of packets that find the trace's ring full. */
  readonly lost: number;
  /** The queue is recorded in the skb. */
  readonly recordsQueue: boolean;
  readonly movesAffinity: boolean;
  /** Share of polls whose end is seen late: another device's handler comes between. */
  readonly lateEnds: number;
  /** When the trace begins, ns. */
  readonly attachNs: number;
}

const US = 1000;
const MS = 1_000_000;

/** The machine of a seed. */
export function planMachine(random: Random): MachinePlan {
  const cpus = random.between(1, 3);
  const hooks = random.pick<Hooks>([
    { entry: true, prep: true, start: true },
    { entry: true, prep: true, start: true },
    { entry: true, prep: true, start: false },
    { entry: false, prep: false, start: false },
  ]);
  const masking = random.pick<Masking>(['mask', 'mask', 'isr-mask', 'armed', 'event-index']);
  const several = random.chance(0.15);
  const mixed = random.chance(0.35);
  const vectors = Array.from({ length: random.between(1, 3) }, (_, index) => ({
    irq: 30 + index,
    cpu: random.between(0, cpus - 1),
    rings: several ? random.between(2, 3) : 1,
    transmitNs: mixed ? random.scale(100 * US, 20 * MS) : 0,
  }));
  const moderationNs = random.chance(0.4) ? 0 : random.pick([8, 20, 50, 125]) * US;
  return {
    cpus,
    hooks,
    vectors,
    masking,
    handover: random.pick<Handover>(['at-once', 'at-once', 'at-once', 'pipeline', 'counted', 'list']),
    throttle: random.pick<'interval' | 'delay'>(['interval', 'delay']),
    moderationNs,
    adaptive: random.chance(0.3),
    moderationKnown: random.chance(0.9),
    deliveryNs: random.scale(100, 5 * US),
    irqsOffNs: random.scale(US, SLACK_NS * 0.8),
    irqsOffEveryNs: random.scale(100 * US, 20 * MS),
    watchdogNs: random.chance(0.25) ? random.scale(500 * US, 20 * MS) : 0,
    budget: random.pick([8, 64, 64, 64]),
    ringSize: random.pick([64, 256, 1024]),
    affinityChanges: random.chance(0.2),
    ksoftirqdNs: random.chance(0.3) ? random.scale(20 * US, 2 * MS) : 0,
    threaded: random.chance(0.2),
    raisesOnce: random.chance(0.5),
    busyPollEveryNs: random.chance(0.2) ? random.scale(200 * US, 5 * MS) : 0,
    deferNs: random.chance(0.1) ? random.scale(20 * US, 200 * US) : 0,
    flushNs: random.chance(0.1) ? random.scale(20 * US, 200 * US) : 0,
    invisible: random.chance(0.2) ? random.next() * 0.3 : 0,
    lost: random.chance(0.2) ? random.next() * 0.2 : 0,
    recordsQueue: random.chance(0.8),
    movesAffinity: random.chance(0.3),
    lateEnds: random.chance(0.2) ? 0.02 : 0,
    attachNs: random.between(0, 500 * US),
  };
}

/** The same machine's traffic as lone packets, storms or a mix: mean gaps and lengths of runs. */
export interface TrafficRun {
  /** Packets in the run. */
  readonly packets: number;
  /** Mean ns between packets. */
  readonly gapNs: number;
  readonly kind: 'lone' | 'random' | 'burst' | 'flood';
}

/** What comes next on a ring. */
export function nextRun(random: Random): TrafficRun {
  switch (random.pick(['lone', 'random', 'random', 'burst', 'burst', 'flood'] as const)) {
    case 'lone':
      return { kind: 'lone', packets: random.between(2, 12), gapNs: random.scale(300 * US, 5 * MS) };
    case 'random':
      return { kind: 'random', packets: random.between(10, 80), gapNs: random.scale(2 * US, 200 * US) };
    case 'burst':
      return { kind: 'burst', packets: random.between(2, 100), gapNs: random.scale(70, 2 * US) };
    case 'flood':
      return { kind: 'flood', packets: random.between(100, 400), gapNs: random.scale(300, 1500) };
  }
}

/** What src/nic would find out about this machine. */
export function factsOf(plan: MachinePlan): ArrivalFacts {
  const irqs = new Map<number, IrqFacts>();
  for (const { irq, rings, transmitNs } of plan.vectors) {
    irqs.set(irq, {
      receiveOnly: transmitNs === 0 && rings === 1,
      selfRaised: plan.watchdogNs > 0 || plan.affinityChanges,
      sharedLine: false,
      moderationNs: plan.moderationKnown ? plan.moderationNs : undefined,
      queue: rings === 1 ? irq - 30 : undefined,
    });
  }
  return { irqs, lines: plan.vectors.length, tied: plan.hooks.prep, starts: plan.hooks.start, wakeNs: 0 };
}

/** What the trace tells its programs: no NAPI instance has two queues, and the driver looks again behind each packet. */
export function oneQueue(plan: MachinePlan, fault?: TracerFault): boolean {
  const one = plan.vectors.every(({ rings }) => rings === 1) || fault === 'queues-as-one';
  // A list is seen when it is handed over.
  const looksAgain = plan.handover === 'at-once' || plan.handover === 'list' || fault === 'any-handover';
  return one && looksAgain;
}
