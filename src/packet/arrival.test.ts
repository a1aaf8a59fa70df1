import { describe, expect, it } from 'vitest';
import { type PollRow, addPacket, closePoll } from '../../test/support/lanes.js';
import { FIRST_PACKET_STAGE, Lane, POLL } from '../record/lane.js';
import { STAGES, stageIndex } from '../stages.js';
import { GROUNDS, HOW, HOW_NAMES, PacketCursor, classify } from './arrival.js';

function stand(lane: Lane, row: number): PacketCursor {
  const cursor = new PacketCursor();
  cursor.lane = lane;
  cursor.row = row;
  classify(cursor);
  return cursor;
}

/** Two packets at 500 and 600, closed by a poll. */
function pollOfTwo(poll: Omit<PollRow, 'packets'>): [PacketCursor, PacketCursor] {
  const lane = new Lane(0);
  addPacket(lane, { driver: 500 });
  addPacket(lane, { driver: 600 });
  closePoll(lane, { packets: 2, ...poll });
  return [stand(lane, 0), stand(lane, 1)];
}

const ladder = { entry: 100, isr: 200, raise: 250, softirq: 300, poll: 400 };

describe('a packet whose poll an interrupt led to', () => {
  it('arrived at the interrupt’s entry: the first by its own interrupt, the next in its batch', () => {
    const [first, second] = pollOfTwo({ irq: 38, times: ladder });
    const entry = { arrival: 100, arrivalStage: stageIndex('entry') };
    expect(first).toMatchObject({ how: HOW.ownIrq, k: 1, n: 2, ...entry });
    expect(second).toMatchObject({ how: HOW.batch, k: 2, n: 2, ...entry });
  });

  it('takes the earliest stage that was stamped', () => {
    const stages = Object.keys(ladder) as (keyof typeof ladder)[];
    for (const [index, stage] of stages.entries()) {
      const times = Object.fromEntries(stages.slice(index).map((name) => [name, ladder[name]]));
      const [first] = pollOfTwo({ irq: 38, times });
      expect(first).toMatchObject({ arrival: ladder[stage], arrivalStage: stageIndex(stage) });
    }
  });

  it('arrived at its driver stamp when nothing of the interrupt was stamped', () => {
    const [, second] = pollOfTwo({ irq: 38 });
    expect(second).toMatchObject({ how: HOW.batch, arrival: 600, arrivalStage: FIRST_PACKET_STAGE });
  });

  it('is not called the first where packets of the poll are missing: that one may be among them', () => {
    const [first] = pollOfTwo({ irq: 38, times: ladder, lost: 3 });
    expect(first).toMatchObject({ how: HOW.batch, k: 1, n: 5, arrival: 100 });
  });
});

describe('a packet whose poll no interrupt led to', () => {
  it('arrived at its own driver stamp, whatever the poll’s stamps are', () => {
    const [first, second] = pollOfTwo({ times: { softirq: 300, poll: 400 } });
    expect(first).toMatchObject({
      how: HOW.polled,
      arrival: 500,
      arrivalStage: FIRST_PACKET_STAGE,
      k: 1,
      n: 2,
    });
    expect(second).toMatchObject({ how: HOW.polled, arrival: 600 });
  });

  it('is unknown at the NAPI’s first poll that was seen: its interrupt may have come before the hooks', () => {
    const [first] = pollOfTwo({ previousEnd: Number.NaN });
    expect(first).toMatchObject({ how: HOW.unknown, arrival: 500 });
  });

  it('is polled although the line that serves its NAPI is known', () => {
    const [first] = pollOfTwo({ irq: 38, flags: 0, times: ladder });
    expect(first).toMatchObject({ how: HOW.polled, arrival: 500 });
  });
});

describe('a packet without a poll', () => {
  it('of an interface without interrupts says so', () => {
    const lane = new Lane(0);
    const cursor = stand(lane, addPacket(lane, { driver: 500, none: true }));
    expect(cursor).toMatchObject({ how: HOW.noIrq, poll: -1, k: 0, n: 0, arrival: 500 });
    expect(cursor.stage(stageIndex('entry'))).toBeNaN();
    expect(cursor.stage(FIRST_PACKET_STAGE)).toBe(500);
  });

  it('whose poll’s end was not seen is unknown', () => {
    const lane = new Lane(0);
    const row = addPacket(lane, { driver: 500 });
    lane.abandonOpen(1);
    expect(stand(lane, row)).toMatchObject({ how: HOW.unknown, poll: -1, arrival: 500 });
  });
});

describe('a cursor', () => {
  it('tells the time at every stage', () => {
    const lane = new Lane(0);
    addPacket(lane, { driver: 500, stack: 700, hardware: 60 });
    closePoll(lane, { packets: 1, irq: 38, times: ladder });
    const cursor = stand(lane, 0);
    expect(STAGES.map((_, index) => cursor.stage(index))).toEqual([60, 100, 200, 250, 300, 400, 500, 700]);
  });

  it('has a name and a ground for every way to arrive', () => {
    expect(HOW_NAMES.length).toBe(Object.keys(HOW).length);
    expect(GROUNDS.length).toBe(HOW_NAMES.length);
    expect(Object.values(HOW)).toEqual(HOW_NAMES.map((_, index) => index));
    expect(POLL.CAUSED).toBe(1);
  });
});
