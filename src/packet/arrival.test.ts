import { describe, expect, it } from 'vitest';
import { type PacketRow, type PollRow, addPacket, closePoll } from '../../test/support/lanes.js';
import { CONTEXT, FIRST_PACKET_STAGE, HARDWARE_STAGE, Lane, POLL, PacketColumns } from '../record/lane.js';
import { STAGES, stageIndex } from '../stages.js';
import {
  type ArrivalFacts,
  GROUNDS,
  HOW,
  HOW_NAMES,
  type IrqFacts,
  NO_FACTS,
  PacketCursor,
  RULE,
  RULES,
  SLACK_NS,
  VIA_NAMES,
  classify,
} from './arrival.js';

const MODERATION = 50_000;
const WAKE = 10_000;

const quiet: IrqFacts = {
  receiveOnly: true,
  selfRaised: false,
  sharedLine: false,
  moderationNs: MODERATION,
  queue: 0,
};

const factsOf = (irq: Partial<IrqFacts> = {}, exact = true): ArrivalFacts => ({
  irqs: new Map([[38, { ...quiet, ...irq }]]),
  lines: 1,
  tied: exact,
  starts: exact,
  wakeNs: WAKE,
});

function stand(lane: Lane, row: number, facts: ArrivalFacts = factsOf()): PacketCursor {
  const cursor = new PacketCursor();
  cursor.lane = lane;
  cursor.row = row;
  classify(cursor, facts);
  return cursor;
}

/** Two packets at 500 and 600, closed by a poll. */
function pollOfTwo(
  poll: Omit<PollRow, 'packets'>,
  facts?: ArrivalFacts,
  packet?: Partial<PacketRow>,
): [PacketCursor, PacketCursor] {
  const lane = new Lane(0);
  addPacket(lane, { driver: 500, ...packet });
  addPacket(lane, {
    driver: 600,
    ...packet,
    ...(packet?.index === undefined ? {} : { index: packet.index + 1 }),
  });
  closePoll(lane, { packets: 2, ...poll });
  return [stand(lane, 0, facts), stand(lane, 1, facts)];
}

const ladder = { entry: 100, isr: 200, raise: 250, softirq: 300, poll: 400 };
/** The latest end of the poll before that rules a leftover out, for an entry at 100. */
const LONG_AGO = 100 - MODERATION - WAKE - SLACK_NS - 1;
const caused = { irq: 38, times: ladder, previousEnd: LONG_AGO };

describe('a packet whose poll an interrupt led to', () => {
  it('arrived at the interrupt’s entry: the first by its own interrupt, the next in its batch', () => {
    const [first, second] = pollOfTwo(caused);
    const entry = { arrival: 100, arrivalStage: stageIndex('entry'), certain: true };
    expect(first).toMatchObject({ how: HOW.ownIrq, rule: RULE.own, k: 1, n: 2, notAfter: 100, ...entry });
    expect(second).toMatchObject({ how: HOW.batch, rule: RULE.batch, k: 2, n: 2, notAfter: 600, ...entry });
  });

  it('takes the earliest stage that was stamped', () => {
    const stages = Object.keys(ladder) as (keyof typeof ladder)[];
    for (const [index, stage] of stages.entries()) {
      const times = Object.fromEntries(stages.slice(index).map((name) => [name, ladder[name]]));
      const [first] = pollOfTwo({ ...caused, times });
      expect(first).toMatchObject({ arrival: ladder[stage], arrivalStage: stageIndex(stage) });
    }
  });

  it('arrived at its driver stamp when nothing of the interrupt was stamped', () => {
    const [, second] = pollOfTwo({ irq: 38 });
    expect(second).toMatchObject({ how: HOW.batch, arrival: 600, arrivalStage: FIRST_PACKET_STAGE });
  });

  it('is not called the first where the method counted packets before it that were lost', () => {
    const [first] = pollOfTwo({ ...caused, lost: 3 }, undefined, { index: 4 });
    expect(first).toMatchObject({ how: HOW.batch, k: 4, n: 5, arrival: 100, notAfter: 500 });
  });

  it('lies between the time at which its queue was empty and its driver stamp', () => {
    const [first, second] = pollOfTwo({ ...caused, empty: 40, previousEnd: 50 });
    expect(first).toMatchObject({ how: HOW.ownIrq, notBefore: 40, notAfter: 500, certain: false });
    expect(second).toMatchObject({ notBefore: 40, notAfter: 600 });
    expect(pollOfTwo(caused)[0].notBefore).toBeNaN();
  });
});

describe('its own interrupt is only probable', () => {
  const probable = (rule: number, poll: object, facts?: ArrivalFacts, packet?: Partial<PacketRow>): void => {
    const [first] = pollOfTwo({ ...caused, ...poll }, facts, packet);
    expect(first).toMatchObject({ how: HOW.ownIrq, rule, certain: false, arrival: 100, notAfter: 500 });
  };

  it('when it came so soon that it may be left over: moderation, waking and slack after the poll before', () => {
    probable(RULE.ownSoon, { previousEnd: LONG_AGO + 1 });
    probable(RULE.ownSoon, { previousEnd: Number.NaN });
  });

  it('when something else may have raised it', () => {
    probable(RULE.ownMixed, {}, factsOf({ receiveOnly: false }));
    probable(RULE.ownMixed, {}, factsOf({ sharedLine: true }));
    probable(RULE.ownSelfRaised, {}, factsOf({ selfRaised: true }));
  });

  it('when nobody tells how long the NIC holds it back, or whose it is', () => {
    probable(RULE.ownUnmoderated, {}, factsOf({ moderationNs: undefined }));
    probable(RULE.ownUnmoderated, { irq: 39 });
    const [first] = pollOfTwo({ ...caused, times: { raise: 250 } });
    expect(first).toMatchObject({ rule: RULE.ownUnmoderated, arrival: 250, certain: false });
  });

  it('when that it led to the poll is inferred, unless the queue agrees', () => {
    const inferred = factsOf({}, false);
    probable(RULE.ownInferred, {}, inferred);
    probable(RULE.ownInferred, {}, inferred, { queue: 2 });
    probable(RULE.ownInferred, {}, factsOf({ queue: undefined }, false), { queue: 1 });
    probable(RULE.ownInferred, { flags: POLL.CAUSED | POLL.AMBIGUOUS });
    const [first, second] = pollOfTwo(caused, inferred, { queue: 1 });
    expect(first).toMatchObject({ rule: RULE.own, certain: true });
    expect(second).toMatchObject({ rule: RULE.batchInferred, how: HOW.batch, certain: false });
  });

  it('when the driver took more from the queue than it handed over', () => {
    probable(RULE.ownUncounted, { work: 3 });
  });

  it('without facts', () => {
    probable(RULE.ownUnmoderated, {}, NO_FACTS);
  });
});

describe('a packet whose poll no interrupt led to', () => {
  const own = { arrival: 500, arrivalStage: FIRST_PACKET_STAGE, notAfter: 500 };

  it('arrived at its own driver stamp, whatever the poll’s stamps are', () => {
    const times = { softirq: 300, poll: 400 };
    const [first, second] = pollOfTwo({ irq: 38, flags: 0, times });
    expect(first).toMatchObject({ how: HOW.polled, rule: RULE.masked, certain: true, k: 1, n: 2, ...own });
    expect(second).toMatchObject({ how: HOW.polled, arrival: 600 });
  });

  it('is only probable where interrupts are tied to polls by inference', () => {
    const [first] = pollOfTwo({ irq: 38, flags: 0 }, factsOf({}, false));
    expect(first).toMatchObject({ how: HOW.polled, rule: RULE.maskedInferred, certain: false, ...own });
  });

  it('is unknown at the NAPI’s first poll that was seen: its interrupt may have come before the hooks', () => {
    const [first] = pollOfTwo({ irq: 38, flags: 0, previousEnd: Number.NaN });
    expect(first).toMatchObject({ how: HOW.unknown, rule: RULE.cut, certain: false, ...own });
  });

  it('is unknown as long as no interrupt of its queue has been seen', () => {
    const [first] = pollOfTwo({ irq: 0, flags: 0 });
    expect(first).toMatchObject({ how: HOW.unknown, rule: RULE.noIrqYet, certain: false, ...own });
  });

  it('is a repoll where the poll before used its budget up, whatever interrupts came meanwhile', () => {
    const repoll = { how: HOW.repoll, rule: RULE.repoll, certain: true, ...own };
    expect(pollOfTwo({ irq: 38, flags: 0, previousWork: 64 })[0]).toMatchObject(repoll);
    expect(pollOfTwo({ irq: 38, flags: 0, previousWork: 8, budget: 8 })[0]).toMatchObject(repoll);
    const missed = { ...caused, flags: POLL.CAUSED | POLL.MISSED, previousWork: 64 };
    expect(pollOfTwo(missed)[0]).toMatchObject(repoll);
    expect(pollOfTwo({ ...caused, previousWork: 64 }, factsOf({}, false))[0]).toMatchObject(repoll);
    expect(pollOfTwo({ ...caused, previousWork: 64 })[0].how).toBe(HOW.ownIrq);
    expect(pollOfTwo({ irq: 38, flags: 0, previousWork: 63 })[0].how).toBe(HOW.polled);
  });

  it('is polled where the interrupt came while its queue was being polled', () => {
    const [first] = pollOfTwo({ ...caused, flags: POLL.CAUSED | POLL.MISSED });
    expect(first).toMatchObject({ how: HOW.polled, rule: RULE.missed, certain: true, ...own });
  });

  it('is polled where its queue was seen empty after the interrupt', () => {
    const [first] = pollOfTwo({ ...caused, empty: 100 });
    expect(first).toMatchObject({
      how: HOW.polled,
      rule: RULE.emptyAfter,
      certain: true,
      notBefore: 100,
      ...own,
    });
    const inferred = factsOf({}, false);
    const probable = { how: HOW.polled, rule: RULE.maskedInferred, certain: false, ...own };
    expect(pollOfTwo({ ...caused, empty: 100 }, inferred)[0]).toMatchObject(probable);
    // Of several interrupts the first one's times are kept: a later one may have been this packet's.
    const [several] = pollOfTwo({ ...caused, empty: 100, again: 1 }, inferred);
    expect(several).toMatchObject({ how: HOW.unknown, rule: RULE.untold, certain: false, ...own });
  });

  it('is busy-polled in a task that waits for data, whatever interrupts came', () => {
    const [first] = pollOfTwo({ ...caused, context: CONTEXT.busyPoll });
    expect(first).toMatchObject({ how: HOW.busyPoll, rule: RULE.busyPoll, certain: true, ...own });
  });
});

describe('a packet without a poll', () => {
  it('of an interface without interrupts says so', () => {
    const lane = new Lane(0);
    const cursor = stand(lane, addPacket(lane, { driver: 500, none: true }));
    expect(cursor).toMatchObject({ how: HOW.noIrq, poll: -1, k: 0, n: 0, arrival: 500, notAfter: 500 });
    expect(cursor.notBefore).toBeNaN();
    expect(cursor.stage(stageIndex('entry'))).toBeNaN();
    expect(cursor.stage(FIRST_PACKET_STAGE)).toBe(500);
  });

  it('whose poll’s end was not seen is unknown', () => {
    const lane = new Lane(0);
    const row = addPacket(lane, { driver: 500 });
    lane.abandonOpen(1);
    expect(stand(lane, row)).toMatchObject({ how: HOW.unknown, rule: RULE.cut, poll: -1, arrival: 500 });
  });

  it('of a method that sees packets only behind the driver stage arrived not after its first stamp', () => {
    const lane = new Lane(0);
    const row = addPacket(lane, { driver: Number.NaN, stack: 700, hardware: 650, hardwareError: 10 });
    lane.packets.poll[row] = PacketColumns.UNTOLD;
    const cursor = new PacketCursor();
    cursor.firstStage = stageIndex('stack');
    Object.assign(cursor, { lane, row });
    classify(cursor);
    expect(cursor).toMatchObject({ how: HOW.unknown, rule: RULE.packetOnly, certain: false, poll: -1 });
    expect(cursor).toMatchObject({ arrival: 650, notAfter: 660 });
    expect(cursor.software).toMatchObject({ arrival: 700, stage: stageIndex('stack'), notAfter: 700 });
    expect(cursor.stage(FIRST_PACKET_STAGE)).toBeNaN();
    expect(cursor.stage(stageIndex('entry'))).toBeNaN();
  });
});

describe('a packet that the NIC stamped', () => {
  it('arrived then, give or take the error of the conversion; its class stays', () => {
    const [first] = pollOfTwo(caused, undefined, { hardware: 60, hardwareError: 7 });
    const bounds = { notBefore: 53, notAfter: 67 };
    expect(first).toMatchObject({ how: HOW.ownIrq, arrival: 60, arrivalStage: HARDWARE_STAGE, ...bounds });
    const [without] = pollOfTwo(caused);
    const { arrival, arrivalStage: stage, notBefore, notAfter } = without;
    expect(first.software).toEqual({ arrival, stage, notBefore, notAfter });
    expect(without.software.arrival).toBe(0);
  });

  it('did not arrive behind its own driver stamp', () => {
    expect(pollOfTwo(caused, undefined, { hardware: 507, hardwareError: 7 })[0].arrival).toBe(507);
    expect(pollOfTwo(caused, undefined, { hardware: 508, hardwareError: 7 })[0].arrival).toBe(100);
  });
});

describe('a cursor', () => {
  it('tells the time at every stage', () => {
    const lane = new Lane(0);
    const later = { stack: 700, ip: 710, transport: 720, socket: 730, read: 740, drop: 750 };
    addPacket(lane, { driver: 500, hardware: 60, times: later });
    closePoll(lane, { packets: 1, irq: 38, times: ladder });
    const cursor = stand(lane, 0);
    expect(STAGES.map((_, index) => cursor.stage(index))).toEqual([
      60,
      100,
      200,
      250,
      300,
      400,
      500,
      ...Object.values(later),
    ]);
  });

  it('tells where the poll ran, and when another CPU went on', () => {
    const [first] = pollOfTwo({ ...caused, context: CONTEXT.threaded }, undefined, { stackCpu: 2 });
    expect(first).toMatchObject({ how: HOW.ownIrq, via: CONTEXT.threaded, rps: true });
    expect(pollOfTwo(caused, undefined, { stackCpu: 1 })[0]).toMatchObject({
      via: CONTEXT.softirq,
      rps: false,
    });
    expect(VIA_NAMES.length).toBe(Object.keys(CONTEXT).length);
  });

  it('has a name for every way to arrive, and a class and a ground of its own for every rule', () => {
    expect(HOW_NAMES.length).toBe(Object.keys(HOW).length);
    expect(Object.values(HOW)).toEqual(HOW_NAMES.map((_, index) => index));
    expect(Object.values(RULE)).toEqual(RULES.map((_, index) => index));
    expect(new Set(GROUNDS).size).toBe(RULES.length);
    expect(new Set(RULES.map(({ how }) => how)).size).toBe(HOW_NAMES.length);
  });
});
