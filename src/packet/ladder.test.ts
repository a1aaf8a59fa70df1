import { describe, expect, it } from 'vitest';
import {
  BY,
  FIN,
  LADDER,
  MS,
  UP,
  datagram,
  fragment6,
  segment,
  setUp,
} from '../../test/support/ladder-set-up.js';
import { packetId } from '../record/lane.js';

describe('a datagram', () => {
  it('leaves when it was read, with its reader and who was woken', () => {
    const { source, joiner, packet, pass, leave } = setUp();
    packet(1);
    pass(0, 1.1, ...UP);
    source.tell('woken', { time: 1.2 * MS, tid: 72, name: 'poller' });
    expect(leave(5)).toEqual([]);
    source.tell('read', { time: 6 * MS, bytes: 100, ...BY });
    expect(leave(7)).toMatchObject([
      { fate: 'read', reader: 71, bytes: 100, woken: 72, times: { read: 6 * MS } },
    ]);
    expect([joiner.taskName(71), joiner.taskName(72), joiner.taskName(73)]).toEqual([
      'reader',
      'poller',
      undefined,
    ]);
  });

  it('that nobody reads is waited for, then shown as queued; its read is late', () => {
    const { source, joiner, packet, pass, leave } = setUp(1, LADDER, 50 * MS);
    packet(1);
    pass(0, 1.1, ...UP);
    expect(leave(50)).toEqual([]);
    expect(leave(52)).toMatchObject([{ fate: 'queued' }]);
    source.tell('read', { time: 60 * MS, ...BY });
    expect(joiner.late).toBe(1);
    // An skb that is being sent, at the same address.
    source.tell('consumed', { time: 61 * MS, entered: false });
    expect(joiner.late).toBe(1);
  });

  it('is dropped with the kernel’s reason; freed without one after it was queued, its socket went', () => {
    const { source, packet, pass, leave } = setUp();
    for (const ms of [1, 2, 3]) packet(ms);
    pass(0, 1.1, 'stack', 'ip');
    source.tell('drop', { sequence: 0, time: 1.2 * MS, reason: 3, entered: true });
    pass(1, 2.1, ...UP);
    source.tell('drop', { sequence: 1, time: 2.2 * MS, reason: 2, entered: true });
    pass(2, 3.1, ...UP);
    source.tell('drop', { sequence: 2, time: 3.2 * MS, reason: 3, entered: true });
    expect(leave(5)).toMatchObject([
      { fate: 'dropped', reason: 3, times: { drop: 1.2 * MS } },
      { fate: 'closed', reason: 2 },
      { fate: 'dropped', reason: 3 },
    ]);
  });

  it('is not ended by an skb that was made at its address, unless it never got to the stack', () => {
    const { source, packet, pass, leave } = setUp();
    packet(1);
    pass(0, 1.1, ...UP);
    source.tell('drop', { time: 2 * MS, reason: 3, entered: false });
    source.tell('consumed', { time: 2 * MS, entered: false });
    expect(leave(5)).toEqual([]);
    source.tell('read', { time: 6 * MS, ...BY });
    packet(6);
    source.tell('drop', { sequence: 1, time: 6.1 * MS, reason: 3, entered: false });
    expect(leave(8)).toMatchObject([{ fate: 'read' }, { fate: 'dropped' }]);
  });

  it('leaves only when everything before its end must have been read: rings are read one by one', () => {
    const { source, packet, pass, leave } = setUp();
    packet(1);
    source.tell('read', { time: 6 * MS, bytes: 100, ...BY });
    expect(leave(6.9)).toEqual([]);
    pass(0, 5.9, ...UP);
    expect(Object.keys(leave(7)[0]!.times)).toEqual(['driver', ...UP, 'read']);
  });

  it('whose end is of an unread ring is joined all the same', () => {
    const { source, joiner, packet, leave } = setUp(2);
    source.tell('read', { origin: 1, time: 2 * MS, bytes: 5, ...BY });
    leave(2);
    packet(1, datagram(), 1);
    expect(leave(3)).toMatchObject([{ fate: 'read', bytes: 5 }]);
    expect(joiner.unmatchedStages).toBe(0);
  });
});

describe('what ends otherwise', () => {
  it('is the kernel’s, sent on, or not followed any longer', () => {
    const { source, packet, pass, leave } = setUp();
    for (const ms of [1, 1.1, 1.2, 1.3]) packet(ms);
    source.tell('consumed', { sequence: 0, time: 2 * MS, entered: true });
    source.tell('forwarded', { sequence: 1, time: 2 * MS });
    source.tell('evicted', { sequence: 2, time: 2 * MS, cpu: 0 });
    pass(3, 1.4, ...UP);
    source.tell('evicted', { sequence: 3, time: 2 * MS, cpu: 0 });
    expect(leave(5).map(({ fate }) => fate)).toEqual(['kernel', 'forwarded', 'open', 'queued']);
    expect(source.losses.map(({ cause, count }) => [cause, count])).toEqual([
      ['untracked', 1],
      ['untracked', 1],
    ]);
  });

  it('is a bare acknowledgement, which nobody waits for', () => {
    const { packet, pass, leave } = setUp();
    packet(1, segment(5, 0));
    packet(1.1, segment(5, 0, FIN));
    pass(0, 1.1, 'stack', 'ip', 'transport');
    pass(1, 1.2, 'stack', 'ip', 'transport');
    expect(leave(3)).toEqual([]);
    expect(leave(4)).toMatchObject([{ fate: 'kernel' }, { fate: 'kernel' }]);
  });

  it('is known of all packets when the trace ends', () => {
    const { packet, pass, leave } = setUp();
    for (const ms of [1, 2]) packet(ms);
    pass(1, 2.1, ...UP);
    expect(leave(2.2, true).map(({ fate }) => fate)).toEqual(['open', 'queued']);
  });

  it('is not said where the trace does not look so far', () => {
    const { packet, pass, leave } = setUp(1, ['driver', 'stack', 'ip', 'transport', 'socket']);
    packet(1);
    pass(0, 1.1, ...UP);
    expect(leave(3)).toMatchObject([{ fate: 'open' }]);
  });
});

describe('fragments', () => {
  for (const [family, part] of [
    ['IPv4', (id: number, offset: number, more: boolean) => datagram(id, offset, more)],
    ['IPv6', fragment6],
  ] as const) {
    it(`of ${family} are merged into the last one that came, which is read`, () => {
      const { source, packet, pass, leave } = setUp();
      packet(1, part(7, 0, true));
      packet(1.1, part(8, 0, true));
      packet(1.2, part(7, 100, false));
      for (const i of [0, 1, 2]) pass(i, 1.3, 'stack', 'ip');
      source.tell('consumed', { sequence: 0, time: 1.4 * MS, entered: true });
      pass(2, 1.5, 'transport', 'socket');
      expect(leave(4)).toEqual([]);
      source.tell('read', { sequence: 2, time: 5 * MS, bytes: 900, ...BY });
      const left = leave(1100);
      expect(left).toMatchObject([
        {
          id: 0,
          fate: 'merged',
          into: packetId(0, 2),
          reader: 71,
          bytes: 0,
          times: { transport: 1.5 * MS, read: 5 * MS },
        },
        { id: 1, fate: 'open', into: -1 },
        { id: 2, fate: 'read', bytes: 900 },
      ]);
    });
  }

  it('are merged also when their datagram was read before the rings told', () => {
    const { source, packet, pass, leave } = setUp();
    packet(1, datagram(7, 0, true));
    packet(1.2, datagram(7, 100));
    pass(1, 1.5, 'stack', 'ip', 'transport', 'socket');
    source.tell('read', { sequence: 1, time: 1.6 * MS, bytes: 900, ...BY });
    pass(0, 1.3, 'stack', 'ip');
    expect(leave(4)).toMatchObject([
      { fate: 'merged', reader: 71, times: { read: 1.6 * MS } },
      { fate: 'read' },
    ]);
  });
});
