/** The classes, and the rules that give them: a rule is a class, whether it is certain, and the ground in words. */

/** How a packet arrived. */
export const HOW = {
  ownIrq: 0,
  batch: 1,
  repoll: 2,
  polled: 3,
  busyPoll: 4,
  noIrq: 5,
  unknown: 6,
} as const;

/** One of {@link HOW}. */
export type How = (typeof HOW)[keyof typeof HOW];

/** The names of the classes, indexed by {@link HOW}. */
export const HOW_NAMES = ['own-irq', 'batch', 'repoll', 'polled', 'busy-poll', 'no-irq', 'unknown'] as const;

/** Where its poll ran, indexed by CONTEXT of src/record/lane.ts. */
export const VIA_NAMES = ['softirq', 'ksoftirqd', 'threaded', 'busy-poll', 'irq-thread'] as const;

/** Index into {@link RULES}. */
export const RULE = {
  own: 0,
  ownSoon: 1,
  ownMixed: 2,
  ownSelfRaised: 3,
  ownUnmoderated: 4,
  ownInferred: 5,
  batch: 6,
  batchInferred: 7,
  repoll: 8,
  emptyAfter: 9,
  missed: 10,
  masked: 11,
  maskedInferred: 12,
  busyPoll: 13,
  noIrq: 14,
  cut: 15,
  noIrqYet: 16,
  untold: 17,
  ownUncounted: 18,
  packetOnly: 19,
} as const;

/** One of {@link RULE}. */
export type Rule = (typeof RULE)[keyof typeof RULE];

interface RuleText {
  readonly how: How;
  /** True where the rule leaves no other way; docs/arrival.md has the proof. */
  readonly certain: boolean;
  readonly ground: string;
}

/** Indexed by {@link RULE}. */
export const RULES: readonly RuleText[] = [
  {
    how: HOW.ownIrq,
    certain: true,
    ground:
      'first packet of the poll that this interrupt led to; only packets raise it, and it came too late to be left over from an earlier one: arrived not after it',
  },
  {
    how: HOW.ownIrq,
    certain: false,
    ground:
      'first packet of the poll that this interrupt led to; the poll before was a short time ago or not seen, so the interrupt may be left over from a packet of that one',
  },
  {
    how: HOW.ownIrq,
    certain: false,
    ground:
      'first packet of the poll that this interrupt led to; the line serves more than one receive queue, so something else may have raised it',
  },
  {
    how: HOW.ownIrq,
    certain: false,
    ground:
      'first packet of the poll that this interrupt led to; the driver raises this line by itself now and then',
  },
  {
    how: HOW.ownIrq,
    certain: false,
    ground:
      'first packet of the poll that this interrupt led to; how long the NIC holds interrupts back is not known, so it may be left over',
  },
  {
    how: HOW.ownIrq,
    certain: false,
    ground: 'first packet of the poll behind this interrupt; that it led to this poll is inferred',
  },
  {
    how: HOW.batch,
    certain: true,
    ground:
      'found behind the first packet by the poll that this interrupt led to: arrived not after its own driver stamp',
  },
  {
    how: HOW.batch,
    certain: false,
    ground:
      'found behind the first packet by the poll behind this interrupt; that it led to this poll is inferred',
  },
  {
    how: HOW.repoll,
    certain: true,
    ground:
      'the poll before had used up its budget, so the queue was polled again without an interrupt: arrived not after its driver stamp',
  },
  {
    how: HOW.polled,
    certain: true,
    ground:
      'its queue was seen empty after the interrupt, so that was not its own: arrived not after its driver stamp',
  },
  {
    how: HOW.polled,
    certain: true,
    ground:
      'polled once more because an interrupt came while its queue was being polled (NAPIF_STATE_MISSED): arrived not after its driver stamp',
  },
  {
    how: HOW.polled,
    certain: true,
    ground:
      'no interrupt led to this poll, a timer or the kernel itself did: arrived not after its driver stamp',
  },
  {
    how: HOW.polled,
    certain: false,
    ground: 'no interrupt was found for this poll: arrived not after its driver stamp',
  },
  {
    how: HOW.busyPoll,
    certain: true,
    ground: 'polled by the task that waits for data: arrived not after its driver stamp',
  },
  {
    how: HOW.noIrq,
    certain: true,
    ground: 'the interface has no interrupts: stamped at the first stage there is',
  },
  {
    how: HOW.unknown,
    certain: false,
    ground:
      'the trace began or ended in the middle of its poll, so its interrupt is not known: arrived not after its driver stamp',
  },
  {
    how: HOW.unknown,
    certain: false,
    ground:
      'no interrupt of its queue has been seen so far, so the trace may have missed the one that led to its poll: arrived not after its driver stamp',
  },
  {
    how: HOW.unknown,
    certain: false,
    ground:
      'on this kernel interrupts are tied to polls by CPU, queue and time, and these do not tell whether one led to its poll: arrived not after its driver stamp',
  },
  {
    how: HOW.ownIrq,
    certain: false,
    ground:
      'first packet of the poll that this interrupt led to; the driver took more from its queue than it handed over, so one of those may have raised it',
  },
  {
    how: HOW.unknown,
    certain: false,
    ground:
      'this method sees no interrupts, and packets not before this stage: arrived not after its first stamp',
  },
];

/** On what ground a packet's class is what it is, indexed by the rule that decided. */
export const GROUNDS: readonly string[] = RULES.map((rule) => rule.ground);
