import { describe, expect, it } from 'vitest';
import { addPacket, closePoll } from '../../test/support/lanes.js';
import { Lane } from '../record/lane.js';
import { PacketCursor, classify } from './arrival.js';
import { Selection, type SlowerThan, type Wanted } from './selection.js';

/** Four packets: by an interrupt at 100 (with a stack stamp), in its batch, polled, and polled without a stack stamp. */
function packets(): PacketCursor[] {
  const lane = new Lane(0);
  addPacket(lane, { driver: 500, stack: 900 });
  addPacket(lane, { driver: 600, stack: 2000 });
  closePoll(lane, { packets: 2, irq: 38, times: { entry: 100, isr: 200 } });
  addPacket(lane, { driver: 5000, stack: 5400 });
  addPacket(lane, { driver: 5100 });
  closePoll(lane, { packets: 2, flags: 0 });
  for (const [row, pid] of [17, 18, 0, 17].entries()) lane.packets.readerPid[row] = pid;
  return [0, 1, 2, 3].map((row) => {
    const cursor = new PacketCursor();
    cursor.lane = lane;
    cursor.row = row;
    classify(cursor);
    return cursor;
  });
}

function select(wanted: Partial<Wanted>) {
  const selection = new Selection({ slower: undefined, pids: undefined, ...wanted });
  const admitted = packets().map((cursor) => selection.admits(cursor));
  const stopped = Object.fromEntries(Object.entries(selection.stopped).filter(([, count]) => count > 0));
  return { admitted, stopped };
}

const slower = (from: SlowerThan['from'], to: SlowerThan['to'], ns: number): Partial<Wanted> => ({
  slower: { from, to, ns },
});

describe('a selection', () => {
  it('of nothing admits all', () => {
    expect(select({})).toEqual({ admitted: [true, true, true, true], stopped: {} });
  });

  it('by two stages admits what took longer, and counts packets that lack one of the stamps', () => {
    expect(select(slower('isr', 'stack', 700))).toEqual({
      admitted: [false, true, false, false],
      stopped: { faster: 1, unstamped: 2 },
    });
    // Longer than the limit, not as long.
    expect(select(slower('isr', 'driver', 300)).admitted).toEqual([false, true, false, false]);
    expect(select(slower('isr', 'driver', 299)).admitted).toEqual([true, true, false, false]);
  });

  it('by a time alone measures from the arrival to the last stamp that a packet has', () => {
    expect(select(slower(undefined, undefined, 399))).toEqual({
      admitted: [true, true, true, false],
      stopped: { faster: 1 },
    });
    expect(select(slower(undefined, undefined, 800)).admitted).toEqual([false, true, false, false]);
  });

  it('by process admits what one of them read, and tells what others read from what nobody read', () => {
    expect(select({ pids: [17] })).toEqual({
      admitted: [true, false, false, true],
      stopped: { otherReader: 1, unread: 1 },
    });
    expect(select({ pids: [17, 18] }).admitted).toEqual([true, true, false, true]);
  });

  it('by both counts a packet once', () => {
    const { admitted, stopped } = select({ ...slower('driver', 'stack', 100), pids: [17] });
    expect(admitted).toEqual([true, false, false, false]);
    expect(stopped).toEqual({ otherReader: 1, unread: 1, unstamped: 1 });
  });
});
