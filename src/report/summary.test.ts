import { describe, expect, it } from 'vitest';
import { addPacket, closePoll } from '../../test/support/lanes.js';
import { eachPacket } from '../../test/support/sample-trace.js';
import { PacketCursor, classify } from '../packet/arrival.js';
import { Lane, POLL } from '../record/lane.js';
import { LOSS_CAUSES, LossLedger, PACKET_LOSS } from '../record/loss.js';
import { Summary } from './summary.js';

describe('the summary', () => {
  it('of nothing says so', () => {
    expect(new Summary().text(new LossLedger())).toBe('0 packets stamped · 0 lost');
  });

  it('leaves out the classes that are seldom and did not occur', () => {
    const summary = new Summary();
    eachPacket((cursor, number) => {
      if (number === 1 || number === 3) summary.count(cursor);
    });
    expect(summary.text(new LossLedger())).toBe(
      '2 packets stamped · 1 by its own interrupt, 1 in a batch (1 probable), 0 polled · 0 lost',
    );
  });

  it('tells packets whose interrupt is a guess, and stamps that go back', () => {
    const summary = new Summary();
    const ledger = new LossLedger();
    const lane = new Lane(0);
    addPacket(lane, { driver: 500 });
    closePoll(lane, {
      packets: 1,
      irq: 25,
      flags: POLL.CAUSED | POLL.AMBIGUOUS,
      times: { isr: 100, softirq: 200 },
    });
    addPacket(lane, { driver: 500 });
    closePoll(lane, { packets: 1, irq: 25, times: { isr: 100, softirq: 600 } });
    addPacket(lane, { driver: 500, stack: 400, none: true });
    const cursor = new PacketCursor();
    cursor.lane = lane;
    for (cursor.row = 0; cursor.row < 3; cursor.row++) {
      classify(cursor);
      summary.count(cursor);
    }
    expect(summary).toMatchObject({ ambiguous: 1, outOfOrder: 2 });
    expect(summary.text(ledger)).toContain(
      '1 whose interrupt is one of several · 2 with stamps out of order · 0 lost',
    );
    expect(summary.json(ledger)).toMatchObject({ ambiguous: 1, outOfOrder: 2 });
  });

  it('tells stamps that came too late, also where stack is the last stage', () => {
    const summary = new Summary(['isr', 'driver', 'stack']);
    expect(summary.json(new LossLedger())).not.toHaveProperty('lateStages');
    summary.lateStages = 2;
    expect(summary.json(new LossLedger())).toMatchObject({ lateStages: 2 });
    expect(summary.detailLines()[0]).toMatch(
      /^2 stamps came after the packet was shown: the CPU was held back/,
    );
  });

  it('names --wait as the cure for late stamps only where it is one', () => {
    const summary = new Summary(['driver', 'stack', 'socket', 'read']);
    summary.lateStages = 1;
    expect(summary.detailLines()).toContain(
      '1 stamp came after the packet was shown: --wait holds packets longer',
    );
  });

  it('says how many were seen where a filter kept some back, and why', () => {
    const summary = new Summary();
    summary.stopped = { expression: 0, unreadable: 0, faster: 90, unstamped: 7, otherReader: 0, unread: 0 };
    eachPacket((cursor, number) => {
      if (number === 2) summary.count(cursor);
    });
    expect(summary.text(new LossLedger())).toBe(
      '1 packet stamped · 0 by their own interrupt, 0 in a batch, 0 polled, 1 without an interrupt · shown 1 of 98 (90 not slower, 7 without one of the stamps) · 0 lost',
    );
    expect(summary.json(new LossLedger())).toMatchObject({ packets: 1, seen: 98, stopped: { faster: 90 } });
    summary.stopped = { expression: 0, unreadable: 0, faster: 0, unstamped: 0, otherReader: 0, unread: 0 };
    expect(summary.text(new LossLedger())).toContain(' · shown 1 of 1 · ');
  });

  it('counts every packet under one class, with its bytes', () => {
    const summary = new Summary();
    eachPacket((cursor) => summary.count(cursor));
    expect(summary.byHow).toEqual([1, 1, 0, 1, 0, 1, 1]);
    expect([summary.packets, summary.bytes]).toEqual([5, 204]);
  });
});

describe('the ledger of losses', () => {
  const ledger = new LossLedger();
  ledger.add({ cause: 'ring_full', cpu: 1, count: 2, from: 0, to: 1 });
  ledger.add({ cause: 'ring_full', cpu: 0, count: 1, from: 0, to: 1 });
  ledger.add({ cause: 'ring_full', cpu: 1, count: 3, from: 1, to: 2 });
  ledger.add({ cause: 'missed', cpu: -1, count: 4, from: 0, to: 2 });

  it('adds up by cause and CPU', () => {
    expect(ledger.list()).toEqual([
      { cause: 'missed', cpu: -1, count: 4 },
      { cause: 'ring_full', cpu: 0, count: 1 },
      { cause: 'ring_full', cpu: 1, count: 5 },
    ]);
  });

  it('counts packets apart from other events', () => {
    expect([ledger.total(), ledger.total(PACKET_LOSS)]).toEqual([10, 6]);
    expect(new Summary().lossLines(ledger)).toEqual([
      'lost 4 events: missed',
      'lost 1 packets: ring_full on CPU 0',
      'lost 5 packets: ring_full on CPU 1',
    ]);
  });

  it('knows what every cause means', () => {
    for (const cause of PACKET_LOSS) expect(LOSS_CAUSES[cause]).toContain('the packet is missing');
  });
});
