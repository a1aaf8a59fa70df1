import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addPacket, closePoll } from '../../test/support/lanes.js';
import { FATE, HEADER_WORDS, Lane, PacketColumns, packetId } from './lane.js';

/** What a lane must hold, in the plainest way. */
interface Row {
  readonly id: number;
  /** Id of the poll, or one of the markers. */
  poll: number;
  k: number;
}

/** The rows that wait, as a lane tells them: polls by the id that lies in their `end`. */
function shown(lane: Lane): Row[] {
  return Array.from({ length: lane.count - lane.head }, (_, i) => {
    const row = lane.head + i;
    const poll = lane.packets.poll[row]!;
    // The id lies in three columns of different widths: all must have moved together.
    const id = lane.packets.length[row]!;
    expect(lane.packets.times[0]![row]).toBe(id);
    expect(lane.packets.header[row * HEADER_WORDS]! >>> 0).toBe(id & 0xff);
    return { id, poll: poll >= 0 ? lane.polls.end[poll]! : poll, k: lane.packets.indexInPoll[row]! };
  });
}

const steps = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ packets: fc.integer({ min: 1, max: 90 }) }) },
    { weight: 4, arbitrary: fc.record({ close: fc.nat(90) }) },
    { weight: 3, arbitrary: fc.record({ read: fc.integer({ min: 1, max: 400 }) }) },
    { weight: 1, arbitrary: fc.record({ packets: fc.integer({ min: 1000, max: 1500 }) }) },
  ),
  { maxLength: 80 },
);

describe('a lane', () => {
  it('keeps packets, their polls and their places while it grows, is read and is compacted', () => {
    fc.assert(
      fc.property(steps, (plan) => {
        const lane = new Lane(0);
        let rows: Row[] = [];
        let id = 0;
        let pollId = 1_000_000;
        for (const step of plan) {
          if ('packets' in step) {
            for (let i = 0; i < step.packets; i++) {
              id++;
              addPacket(lane, { driver: id, length: id, bytes: [id & 0xff, 0, 0, 0] });
              rows.push({ id, poll: PacketColumns.OPEN, k: 0 });
            }
          } else if ('close' in step) {
            closePoll(lane, { packets: step.close, end: ++pollId });
            const open = rows.filter((row) => row.poll === PacketColumns.OPEN);
            for (const [i, row] of open.entries()) {
              const k = step.close - (open.length - i) + 1;
              row.poll = k >= 1 ? pollId : PacketColumns.UNSEEN;
              row.k = k >= 1 ? k : 0;
            }
          } else {
            // As the joiner does: an open row that leaves takes its poll's end with it.
            const read = Math.min(step.read, lane.count - lane.head);
            for (let i = 0; i < read; i++) {
              const row = lane.head++;
              if (lane.packets.poll[row] === PacketColumns.OPEN) lane.abandonOpen(row + 1);
            }
            rows = rows.slice(read);
            lane.compact();
          }
        }
        expect(shown(lane)).toEqual(rows);
      }),
      { numRuns: 300 },
    );
  });

  it('knows a packet by the same number wherever its row has moved to', () => {
    const lane = new Lane(3);
    for (let i = 0; i < 5000; i++) {
      addPacket(lane, { driver: i, length: i });
      closePoll(lane, { packets: 1 });
      if (i >= 10) lane.head++;
      if (i === 2000) lane.head = lane.count;
      lane.compact();
      for (let row = lane.head; row < lane.count; row++)
        expect(lane.idOf(row)).toBe(packetId(3, lane.packets.length[row]!));
    }
    expect(lane.dropped).toBeGreaterThan(2000);
  });

  it('gives its room back when everything is read', () => {
    const lane = new Lane(3);
    for (let i = 0; i < 5000; i++) {
      addPacket(lane, { driver: i });
      closePoll(lane, { packets: 1 });
      lane.head++;
      lane.compact();
    }
    expect([lane.head, lane.count, lane.pollCount, lane.openFrom]).toEqual([0, 0, 0, 0]);
    expect(lane.packets.capacity).toBe(1024);
  });

  it('stays small while some packets always wait', () => {
    const lane = new Lane(3);
    for (let i = 0; i < 20_000; i++) {
      addPacket(lane, { driver: i });
      closePoll(lane, { packets: 1 });
      if (i >= 10) lane.head++;
      lane.compact();
    }
    expect(lane.packets.capacity).toBe(1024);
    expect(lane.polls.capacity).toBeLessThanOrEqual(1024);
  });

  it('numbers the packets of a poll by their place in it, also when the first ones have left already', () => {
    const lane = new Lane(0);
    for (let i = 0; i < 3; i++) addPacket(lane, { driver: i });
    lane.head = 1;
    lane.abandonOpen(1);
    closePoll(lane, { packets: 3 });
    expect([...lane.packets.poll.subarray(0, 3)]).toEqual([PacketColumns.UNSEEN, 0, 0]);
    expect([...lane.packets.indexInPoll.subarray(0, 3)]).toEqual([0, 2, 3]);
  });

  it('takes the place that the method tells: it knows of packets that a filter stopped', () => {
    const lane = new Lane(0);
    for (const index of [3, 7]) addPacket(lane, { driver: index, index });
    closePoll(lane, { packets: 2, filtered: 9 });
    // A method whose numbers end at 255.
    for (let i = 0; i < 300; i++) addPacket(lane, { driver: 10 + i, index: Math.min(i + 1, 255) });
    closePoll(lane, { packets: 300 });
    expect([...lane.packets.indexInPoll.subarray(0, 2)]).toEqual([3, 7]);
    expect(lane.polls.packets[0]).toBe(11);
    expect([...lane.packets.indexInPoll.subarray(2, 302)]).toEqual(
      Array.from({ length: 300 }, (_, i) => i + 1),
    );
  });

  it('marks open packets before those of a poll as having lost their own poll’s end', () => {
    const lane = new Lane(0);
    for (let i = 0; i < 3; i++) addPacket(lane, { driver: i });
    closePoll(lane, { packets: 2 });
    expect([...lane.packets.poll.subarray(0, 3)]).toEqual([PacketColumns.UNSEEN, 0, 0]);
  });
});

describe('a row that nobody has filled', () => {
  it('is blank, also where the lane has grown: what the driver stage does not know is not stamped', () => {
    const lane = new Lane(0);
    for (let i = 0; i < 3000; i++) lane.addPacket();
    for (let i = 0; i < 700; i++) lane.addPoll();
    const { packets, polls } = lane;
    expect([packets.capacity, polls.capacity]).toEqual([4096, 1024]);
    for (const row of [0, 1500, 2999]) {
      expect(packets.times.map((times) => times[row])).toEqual(packets.times.map(() => Number.NaN));
      const { hardware, hardwareError, mergedInto, ended, fate, stackCpu } = packets;
      expect([hardware, hardwareError, mergedInto, ended, fate, stackCpu].map((one) => one[row])).toEqual([
        Number.NaN,
        Number.NaN,
        -1,
        Number.POSITIVE_INFINITY,
        FATE.open,
        0,
      ]);
    }
    expect([polls.empty[699], polls.times[3]![699], polls.irq[699]]).toEqual([Number.NaN, Number.NaN, 0]);
  });
});
