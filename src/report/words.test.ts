import { describe, expect, it } from 'vitest';
import { addPacket, closePoll } from '../../test/support/lanes.js';
import { HOW, type How, PacketCursor, classify } from '../packet/arrival.js';
import { CONTEXT, FATE, Lane } from '../record/lane.js';
import type { Lookups } from './lookups.js';
import { CONTEXT_WORDS, FATE_NAMES, contextWords, errorBar, fateText, howText, taskText } from './words.js';

function cursorOn(poll: Partial<Parameters<typeof closePoll>[1]> = {}): PacketCursor {
  const lane = new Lane(1);
  addPacket(lane, { driver: 500 });
  closePoll(lane, { packets: 1, ...poll });
  const cursor = new PacketCursor();
  cursor.lane = lane;
  cursor.row = 0;
  classify(cursor);
  return cursor;
}

describe('the error bar', () => {
  const bar = (notBefore: number, arrival: number, notAfter: number): string =>
    errorBar(Object.assign(cursorOn(), { notBefore, arrival, notAfter }));

  it('tells both sides, each rounded up, and what is not known', () => {
    expect(bar(-2100, 1000, 1000)).toBe('-3.1µs');
    expect(bar(-2101, 1000, 1400)).toBe('-3.2µs+400ns');
    expect(bar(Number.NaN, 1000, 1000)).toBe('?');
    expect(bar(Number.NaN, 1000, 6000)).toBe('?+5.0µs');
    expect(bar(1000, 1000, 1000)).toBe('-0ns');
  });
});

describe('the class', () => {
  const text = (how: How, certain: boolean, k: number, n: number): string =>
    howText(Object.assign(cursorOn(), { how, certain, k, n }));

  it('has the place in the poll where there are several, and a mark where it is probable', () => {
    expect(text(HOW.ownIrq, true, 1, 1)).toBe('own-irq');
    expect(text(HOW.ownIrq, false, 1, 3)).toBe('own-irq? 1/3');
    expect(text(HOW.batch, true, 2, 3)).toBe('batch 2/3');
    expect(text(HOW.repoll, true, 64, 64)).toBe('repoll 64/64');
    expect(text(HOW.polled, false, 1, 1)).toBe('polled?');
    expect(text(HOW.noIrq, true, 0, 0)).toBe('no-irq');
    expect(text(HOW.unknown, false, 1, 2)).toBe('unknown');
  });

  it('says where it was polled unless in a plain softirq, and whether another CPU took it over', () => {
    const words = (context: number, stackCpu = 0): string => {
      const cursor = cursorOn({ irq: 9, context, times: { isr: 100 } });
      cursor.lane.packets.stackCpu[0] = stackCpu;
      classify(cursor);
      return contextWords(cursor).join(' ');
    };
    expect(Object.values(CONTEXT).map((context) => words(context))).toEqual([
      '',
      ...CONTEXT_WORDS.slice(0, -1),
    ]);
    expect(words(CONTEXT.softirq, 2)).toBe(''); // CPU 1: its own
    expect(words(CONTEXT.threaded, 1)).toBe('threaded rps');
    const busy = cursorOn({ context: CONTEXT.busyPoll });
    expect(howText(busy)).toBe('busy-poll');
  });
});

describe('the end of a way', () => {
  const lookups: Lookups = {
    task: (tid) => ({ 17: 'nginx', 18: 'two\nlines' })[tid],
    dropReason: (reason) => (reason === 3 ? 'NO_SOCKET' : undefined),
    mergedInto: (cursor) => (cursor.lane.packets.mergedInto[cursor.row] === 5 ? 12 : undefined),
    mergedFrom: () => [],
  };
  const text = (fate: keyof typeof FATE, columns: Readonly<Record<string, number>> = {}): string => {
    const cursor = cursorOn();
    const { packets } = cursor.lane;
    packets.fate[0] = FATE[fate];
    for (const [name, value] of Object.entries(columns))
      (packets as unknown as Record<string, Float64Array>)[name]![0] = value;
    return fateText(cursor, lookups);
  };

  it('names the reader by process and thread, and how much it took', () => {
    expect(text('read', { readerPid: 17, readerTid: 17, readBytes: 100 })).toBe('read by nginx[17], 100 B');
    expect(text('read', { readerPid: 16, readerTid: 17, readBytes: 0 })).toBe('read by nginx[16/17], 0 B');
    expect(text('read', { readerPid: 19, readerTid: 19, readBytes: 1 })).toBe('read by [19], 1 B');
    expect(text('read', { readBytes: 7 })).toBe('read, 7 B');
  });

  it('keeps to one line whatever a process calls itself', () => {
    expect(taskText('two\nlines\u001b[2J', 18)).toBe('two?lines?[2J[18]');
    expect(text('queued', { wokenTid: 18 })).toBe('queued, woke two?lines[18]');
  });

  it('names the reason, the packet it went into, or what else became of it', () => {
    expect(text('dropped', { dropReason: 3 })).toBe('dropped: NO_SOCKET');
    expect(text('dropped')).toBe('dropped');
    expect(text('merged', { mergedInto: 5 })).toBe('merged into t12');
    expect(text('merged', { mergedInto: 6 })).toBe('merged');
    expect([text('queued'), text('closed'), text('kernel'), text('forwarded'), text('open')]).toEqual([
      'queued',
      'closed unread',
      'kernel',
      'forwarded',
      '-',
    ]);
    expect(FATE_NAMES.map((_, fate) => fate)).toEqual(Object.values(FATE));
  });
});
