import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addPacket, closePoll } from '../../test/support/lanes.js';
import { HandSource } from '../../test/support/hand-source.js';
import { type StageName, stageIndex } from '../stages.js';
import { HOW, PacketCursor } from './arrival.js';
import { Joiner } from './join.js';

const STACK = stageIndex('stack');
const MS = 1_000_000;

/** A packet that left: who it is (its length column), when, how, and its stack stamp. */
interface Left {
  readonly id: number;
  readonly driver: number;
  readonly cpu: number;
  readonly how: number;
  readonly k: number;
  readonly n: number;
  readonly stack: number | undefined;
}

function leave(joiner: Joiner, final = false): Left[] {
  const cursor = new PacketCursor();
  const left: Left[] = [];
  joiner.begin(final);
  while (joiner.next(cursor, final)) {
    const { lane, row, how, k, n } = cursor;
    const stack = cursor.stage(STACK);
    const times = { driver: lane.packets.times[0]![row]!, stack: Number.isNaN(stack) ? undefined : stack };
    left.push({ id: lane.packets.length[row]!, cpu: lane.cpu, how, k, n, ...times });
  }
  joiner.end();
  return left;
}

const ids = (left: readonly Left[]): number[] => left.map((one) => one.id);

function setUp(lanes: number, until: StageName = 'driver') {
  const source = new HandSource(lanes, ['isr', 'driver', until]);
  return { source, joiner: new Joiner(source, until), lanes: source.lanes };
}

describe('packets of several CPUs', () => {
  it('leave in the order of their driver stamps', () => {
    const { source, joiner, lanes } = setUp(2);
    for (const [id, cpu] of [0, 1, 1, 0, 1].entries())
      addPacket(lanes[cpu]!, { driver: id * 10, length: id, none: true });
    source.drainedTo = 10 * MS;
    expect(ids(leave(joiner))).toEqual([0, 1, 2, 3, 4]);
  });

  it('leave in the order of the first stage that their method stamps', () => {
    const source = new HandSource(2, ['stack']);
    const joiner = new Joiner(source, 'stack');
    for (const [id, cpu] of [0, 1, 1, 0].entries())
      addPacket(source.lanes[cpu]!, { driver: Number.NaN, stack: id * 10, length: id, none: true });
    source.drainedTo = 0.5 * MS;
    expect(leave(joiner)).toEqual([]);
    source.drainedTo = 2 * MS;
    expect(leave(joiner).map(({ id, stack }) => [id, stack])).toEqual([
      [0, 0],
      [1, 10],
      [2, 20],
      [3, 30],
    ]);
  });

  it('wait until no CPU can give an earlier one', () => {
    const { source, joiner, lanes } = setUp(2);
    addPacket(lanes[0]!, { driver: 5 * MS, length: 1, none: true });
    source.drainedTo = 5.5 * MS;
    expect(leave(joiner)).toEqual([]);
    addPacket(lanes[1]!, { driver: 4.9 * MS, length: 2, none: true });
    source.drainedTo = 7 * MS;
    expect(ids(leave(joiner))).toEqual([2, 1]);
  });

  it('wait for the end of an earlier packet’s poll, and not for ever', () => {
    const { source, joiner, lanes } = setUp(2);
    addPacket(lanes[0]!, { driver: 1 * MS, length: 1 });
    addPacket(lanes[1]!, { driver: 2 * MS, length: 2, none: true });
    source.drainedTo = 1000 * MS;
    expect(leave(joiner)).toEqual([]);
    source.drainedTo = 2100 * MS;
    const left = leave(joiner);
    expect(ids(left)).toEqual([1, 2]);
    expect(left[0]).toMatchObject({ how: HOW.unknown, k: 0, n: 0 });
  });

  it('that left before their poll ended do not make the next one the first of it', () => {
    const { source, joiner, lanes } = setUp(1);
    addPacket(lanes[0]!, { driver: 1 * MS, length: 1 });
    source.drainedTo = 2100 * MS;
    expect(ids(leave(joiner))).toEqual([1]);
    addPacket(lanes[0]!, { driver: 2100 * MS, length: 2 });
    closePoll(lanes[0]!, { packets: 2, irq: 38 });
    source.drainedTo = 2200 * MS;
    expect(leave(joiner)).toMatchObject([{ id: 2, how: HOW.batch, k: 2, n: 2 }]);
  });

  it('leave at once, all of them, when the source has stopped', () => {
    const { source, joiner, lanes } = setUp(2, 'stack');
    addPacket(lanes[0]!, { driver: 3, length: 1 });
    addPacket(lanes[1]!, { driver: 2, length: 2, none: true });
    source.drainedTo = 3;
    expect(leave(joiner)).toEqual([]);
    const left = leave(joiner, true);
    expect(ids(left)).toEqual([2, 1]);
    expect(left.map((one) => one.how)).toEqual([HOW.noIrq, HOW.unknown]);
    expect(leave(joiner, true)).toEqual([]);
  });
});

describe('a later stage', () => {
  it('is waited for, and goes to its packet', () => {
    const { source, joiner, lanes } = setUp(1, 'stack');
    addPacket(lanes[0]!, { driver: 1 * MS, length: 1, none: true });
    source.drainedTo = 5 * MS;
    expect(leave(joiner)).toEqual([]);
    source.stamp('stack', 0, 0, 6 * MS);
    source.drainedTo = 7 * MS;
    expect(leave(joiner)).toMatchObject([{ id: 1, stack: 6 * MS }]);
  });

  it('that never comes is not waited for beyond its time', () => {
    const { source, joiner, lanes } = setUp(1, 'stack');
    addPacket(lanes[0]!, { driver: 1 * MS, length: 1, none: true });
    source.drainedTo = 22 * MS;
    expect(leave(joiner)).toMatchObject([{ id: 1, stack: undefined }]);
  });

  it('on another CPU than the driver stage finds its packet, before or after it was read', () => {
    const { source, joiner, lanes } = setUp(3, 'stack');
    source.stamp('stack', 2, 0, 2 * MS, 0);
    addPacket(lanes[2]!, { driver: 1 * MS, length: 1, none: true });
    source.stamp('stack', 1, 0, 3 * MS, 0);
    source.drainedTo = 4 * MS;
    expect(leave(joiner)).toMatchObject([{ id: 1, stack: 2 * MS }]);
    addPacket(lanes[1]!, { driver: 2.5 * MS, length: 2, none: true });
    expect(leave(joiner)).toMatchObject([{ id: 2, stack: 3 * MS }]);
    expect(joiner.unmatchedStages).toBe(0);
  });

  it('is the first pass of the packet when it comes by twice', () => {
    const { source, joiner, lanes } = setUp(1, 'stack');
    addPacket(lanes[0]!, { driver: 1 * MS, length: 1, none: true });
    source.stamp('stack', 0, 0, 2 * MS);
    source.stamp('stack', 0, 0, 3 * MS);
    source.drainedTo = 4 * MS;
    expect(leave(joiner)).toMatchObject([{ stack: 2 * MS }]);
  });

  it('of a packet that has left is counted, and changes nothing', () => {
    const { source, joiner, lanes } = setUp(1, 'stack');
    for (const id of [1, 2]) addPacket(lanes[0]!, { driver: id * MS, length: id, none: true });
    source.drainedTo = 21.5 * MS;
    expect(leave(joiner)).toMatchObject([{ id: 1, stack: undefined }]);
    source.stamp('stack', 0, 0, 22 * MS);
    source.stamp('stack', 0, 1, 21 * MS);
    source.drainedTo = 22 * MS;
    expect(leave(joiner)).toMatchObject([{ id: 2, stack: 21 * MS }]);
    expect([joiner.late, joiner.unmatchedStages]).toEqual([1, 0]);
  });

  it('without a packet is counted, and not kept', () => {
    const { source, joiner } = setUp(1, 'stack');
    source.stamp('stack', 0, 0, 2 * MS);
    source.drainedTo = 3 * MS;
    for (let i = 0; i < 9; i++) expect(leave(joiner)).toEqual([]);
    expect(joiner.unmatchedStages).toBe(0);
    source.drainedTo = 5 * MS;
    expect(leave(joiner)).toEqual([]);
    expect(joiner.unmatchedStages).toBe(1);
    expect(source.losses).toEqual([{ cause: 'stage_unmatched', cpu: 0, count: 1, from: 2 * MS, to: 2 * MS }]);
  });

  it('finds its packet by its place modulo 2^27, and not another one that had the place before', () => {
    const { source, joiner, lanes } = setUp(1, 'stack');
    lanes[0]!.dropped = 2 ** 27 * 3 - 1;
    addPacket(lanes[0]!, { driver: 1 * MS, skb: 64 * 7, length: 1, none: true });
    addPacket(lanes[0]!, { driver: 1.1 * MS, skb: 64 * 8, length: 2, none: true });
    source.tell('stamp', { stage: STACK, sequence: 2 ** 27 - 1, check: 7, time: 2 * MS });
    source.tell('stamp', { stage: STACK, sequence: 0, check: 9, time: 2 * MS });
    source.drainedTo = 30 * MS;
    expect(leave(joiner)).toMatchObject([
      { id: 1, stack: 2 * MS },
      { id: 2, stack: undefined },
    ]);
    expect(joiner.late).toBe(1);
  });
});

/** One CPU's work: polls of some packets each, with gaps, and where each packet's stack stage runs. */
const polls = fc.array(
  fc.record({
    gap: fc.integer({ min: 1, max: 3 * MS }),
    packets: fc.array(
      fc.record({
        step: fc.integer({ min: 1, max: 200_000 }),
        stack: fc.option(fc.record({ after: fc.integer({ min: 1, max: 4 * MS }), cpu: fc.nat(2) })),
      }),
      { minLength: 1, maxLength: 12 },
    ),
    irq: fc.boolean(),
  }),
  { maxLength: 12 },
);

type Write = {
  readonly time: number;
  readonly cpu: number;
  readonly order: number;
  readonly run: () => void;
};

describe('any traffic', () => {
  it('comes out whole, once, in order, each packet with its poll and its own stack stamp', () => {
    fc.assert(
      fc.property(
        fc.array(polls, { minLength: 3, maxLength: 3 }),
        fc.array(fc.integer({ min: 1, max: 15 * MS }), { minLength: 1, maxLength: 40 }),
        fc.integer({ min: 0, max: 900_000 }),
        (cpus, drains, delay) => {
          const { source, joiner, lanes } = setUp(3, 'stack');
          const truth: Left[] = [];
          const writes: Write[] = [];
          let id = 0;
          for (const [cpu, work] of cpus.entries()) {
            // Stamps differ between CPUs, so that the order is one.
            let time = 1 + cpu;
            let sequence = 0;
            for (const poll of work) {
              time += Math.ceil(poll.gap / 3) * 3;
              const n = poll.packets.length;
              for (const [i, packet] of poll.packets.entries()) {
                time += Math.ceil(packet.step / 3) * 3;
                const driver = time;
                const skb = ++id;
                const place = sequence++;
                const row = { driver, skb: skb * 64, length: skb };
                writes.push({
                  time: driver,
                  cpu,
                  order: writes.length,
                  run: () => addPacket(lanes[cpu]!, row),
                });
                const { stack } = packet;
                const how = poll.irq ? (i === 0 ? HOW.ownIrq : HOW.batch) : HOW.polled;
                truth.push({
                  id,
                  driver,
                  cpu,
                  how,
                  k: i + 1,
                  n,
                  stack: stack ? driver + stack.after : undefined,
                });
                if (stack) {
                  const at = driver + stack.after;
                  const fields = { stage: STACK, origin: cpu, sequence: place, check: skb, time: at };
                  const run = (): void => source.tell('stamp', { ...fields, cpu: stack.cpu });
                  writes.push({ time: at, cpu: stack.cpu, order: writes.length, run });
                }
              }
              const row = {
                packets: n,
                end: time,
                irq: 38,
                ...(poll.irq ? { times: { isr: time } } : { flags: 0 }),
              };
              writes.push({ time, cpu, order: writes.length, run: () => closePoll(lanes[cpu]!, row) });
            }
          }
          const left: Left[] = [];
          const waiting = [0, 1, 2].map((cpu) =>
            writes.filter((one) => one.cpu === cpu).sort((a, b) => a.time - b.time || a.order - b.order),
          );
          const end = Math.max(0, ...writes.map((one) => one.time)) + delay;
          for (let now = 0, i = 0; now <= end; i++) {
            now += drains[i % drains.length]!;
            // Each ring is read a little after the one before; a record is published up to `delay` after its stamp.
            for (const [cpu, queue] of waiting.entries()) {
              while (queue[0] !== undefined && queue[0].time + delay <= now + cpu * 1000)
                queue.shift()!.run();
            }
            source.drainedTo = now;
            left.push(...leave(joiner));
          }
          for (const queue of waiting) for (const one of queue) one.run();
          left.push(...leave(joiner, true));
          expect(left).toEqual(truth.toSorted((a, b) => a.driver - b.driver));
          expect(lanes.every((lane) => lane.head === 0 && lane.count === 0)).toBe(true);
        },
      ),
      { numRuns: 300 },
    );
  });
});
