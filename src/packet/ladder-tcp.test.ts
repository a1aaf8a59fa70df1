import { describe, expect, it } from 'vitest';
import { BY, MS, SOCK, segment, setUp } from '../../test/support/ladder-set-up.js';
import { packetId } from '../record/lane.js';
import { stageIndex } from '../stages.js';

describe('TCP segments', () => {
  it('are read when the reader has passed their last byte, also over the wrap of sequence numbers', () => {
    const { source, packet, leave } = setUp();
    const first = 2 ** 32 - 150;
    for (const i of [0, 1, 2]) {
      packet(1 + i / 10, segment((first + i * 100) % 2 ** 32, 100));
      source.tell('tcpSocket', {
        stage: stageIndex('socket'),
        sequence: i,
        time: (1.05 + i / 10) * MS,
        sock: SOCK,
      });
    }
    source.tell('tcpRead', { time: 2 * MS, sock: SOCK, copied: 2 ** 32 - 1, ...BY });
    source.tell('tcpRead', { time: 3 * MS, sock: SOCK, copied: 50, ...BY, tid: 72 });
    expect(leave(5)).toMatchObject([
      { id: 0, fate: 'read', reader: 71, bytes: 100, times: { read: 2 * MS } },
      { id: 1, fate: 'read', reader: 72, bytes: 100, times: { read: 3 * MS } },
    ]);
    source.tell('tcpRead', { time: 6 * MS, sock: SOCK, copied: 150, ...BY });
    expect(leave(8)).toMatchObject([{ id: 2, fate: 'read' }]);
  });

  it('are joined to reads of another CPU’s ring in the order of time', () => {
    const { source, packet, leave } = setUp(2);
    // The reader's ring was read first.
    source.tell('tcpRead', { time: 2 * MS, sock: SOCK, copied: 200, cpu: 0, ...BY });
    packet(1, segment(100, 100), 1);
    packet(3, segment(100, 100), 1);
    const stage = stageIndex('socket');
    source.tell('tcpSocket', { stage, origin: 1, sequence: 0, time: 1.1 * MS, sock: SOCK });
    source.tell('tcpSocket', { stage, origin: 1, sequence: 1, time: 3.1 * MS, sock: SOCK });
    expect(leave(6)).toMatchObject([{ id: 0, fate: 'read' }]);
  });

  it('that are freed on another CPU, whose ring is read before the reader’s, are read all the same', () => {
    const { source, packet, leave } = setUp(2);
    packet(1, segment(100, 100));
    source.tell('tcpSocket', { stage: stageIndex('socket'), sequence: 0, time: 1.1 * MS, sock: SOCK });
    source.tell('released', { sequence: 0, time: 2.1 * MS, cpu: 0, entered: true });
    source.tell('tcpRead', { time: 2 * MS, sock: SOCK, copied: 200, cpu: 1, ...BY });
    expect(leave(5)).toMatchObject([{ fate: 'read', reader: 71, bytes: 100, times: { read: 2 * MS } }]);
  });

  it('that are empty are dropped at once: nobody reads them, and nobody waits for them long', () => {
    const { source, packet, pass, leave } = setUp();
    packet(1, segment(100, 0));
    pass(0, 1, 'stack', 'ip', 'transport');
    source.tell('drop', { sequence: 0, time: 2.2 * MS, reason: 3, entered: true });
    expect(leave(3.1)).toMatchObject([{ fate: 'dropped', times: { drop: 2.2 * MS } }]);
  });

  it('that GRO merged have their own bytes’ read, the carrier’s other stamps, and say where they went', () => {
    const { source, packet, pass, leave } = setUp();
    for (const i of [0, 1, 2]) packet(1 + i / 10, segment(100 + i * 100, 100));
    for (const i of [1, 2])
      source.tell('merged', { sequence: i, time: 1.3 * MS, intoOrigin: 0, intoSequence: 0 });
    pass(0, 1.4, 'stack', 'ip', 'transport');
    source.tell('tcpSocket', { stage: stageIndex('socket'), sequence: 0, time: 1.5 * MS, sock: SOCK });
    source.tell('tcpRead', { time: 2 * MS, sock: SOCK, copied: 300, ...BY });
    const left = leave(4);
    expect(left).toMatchObject([
      { id: 0, fate: 'read', into: -1, bytes: 100 },
      { id: 1, fate: 'merged', into: packetId(0, 0), reader: 71, bytes: 100, times: { read: 2 * MS } },
    ]);
    expect({ ...left[1]!.times, driver: 0 }).toEqual({ ...left[0]!.times, driver: 0 });
    source.tell('tcpRead', { time: 5 * MS, sock: SOCK, copied: 400, ...BY });
    expect(leave(7)).toMatchObject([{ id: 2, fate: 'merged', times: { read: 5 * MS, socket: 1.5 * MS } }]);
  });

  it('that the backlog joined are queued with the one that took them, and read', () => {
    const { source, packet, leave } = setUp();
    for (const i of [0, 1]) packet(1 + i / 10, segment(100 + i * 100, 100));
    source.tell('coalesced', { sequence: 1, time: 1.2 * MS, intoOrigin: 0, intoSequence: 0 });
    source.tell('tcpSocket', { stage: stageIndex('socket'), sequence: 0, time: 1.5 * MS, sock: SOCK });
    source.tell('tcpRead', { time: 2 * MS, sock: SOCK, copied: 300, ...BY });
    expect(leave(4)).toMatchObject([
      { fate: 'read', times: { socket: 1.5 * MS } },
      { fate: 'read', times: { socket: 1.5 * MS }, into: -1 },
    ]);
  });

  it('that lie in a socket which is closed are closed, those before are read', () => {
    const { source, packet, leave } = setUp();
    for (const i of [0, 1]) {
      packet(1 + i / 10, segment(100 + i * 100, 100));
      source.tell('tcpSocket', {
        stage: stageIndex('socket'),
        sequence: i,
        time: (1.05 + i / 10) * MS,
        sock: SOCK,
      });
    }
    source.tell('tcpRead', { time: 2 * MS, sock: SOCK, copied: 200, ...BY });
    source.tell('tcpClosed', { time: 2.1 * MS, sock: SOCK, copied: 300, ...BY });
    expect(leave(4).map(({ fate }) => fate)).toEqual(['read', 'closed']);
  });

  it('that come out of order are read in their place', () => {
    const { source, packet, leave } = setUp();
    for (const [i, sequence] of [100, 300, 200].entries()) {
      packet(1 + i / 10, segment(sequence, 100));
      source.tell('tcpSocket', {
        stage: stageIndex('socket'),
        sequence: i,
        time: (1.05 + i / 10) * MS,
        sock: SOCK,
      });
    }
    source.tell('tcpRead', { time: 2 * MS, sock: SOCK, copied: 300, ...BY });
    expect(leave(4)).toMatchObject([{ id: 0, fate: 'read' }]);
    source.tell('tcpRead', { time: 3 * MS, sock: SOCK, copied: 400, ...BY });
    expect(leave(5)).toMatchObject([
      { id: 1, fate: 'read', times: { read: 3 * MS } },
      { id: 2, fate: 'read', times: { read: 2 * MS } },
    ]);
  });

  it('that were merged into one that is dropped end with it', () => {
    const { source, packet, pass, leave } = setUp();
    for (const i of [0, 1]) packet(1 + i / 10, segment(100 + i * 100, 100));
    source.tell('merged', { sequence: 1, time: 1.2 * MS, intoOrigin: 0, intoSequence: 0 });
    pass(0, 1.4, 'stack');
    source.tell('drop', { sequence: 0, time: 1.5 * MS, reason: 3, entered: true });
    expect(leave(4)).toMatchObject([
      { fate: 'dropped' },
      { fate: 'merged', reason: 3, times: { drop: 1.5 * MS } },
    ]);
  });
});

describe('a merge that is read after its carrier’s end', () => {
  it('ends with it', () => {
    const { source, packet, pass, leave } = setUp();
    for (const i of [0, 1]) packet(1 + i / 10, segment(100 + i * 100, 100));
    pass(0, 1.4, 'stack');
    source.tell('drop', { sequence: 0, time: 1.5 * MS, reason: 3, entered: true });
    source.tell('merged', { sequence: 1, time: 1.2 * MS, intoOrigin: 0, intoSequence: 0 });
    expect(leave(4)).toMatchObject([
      { fate: 'dropped' },
      { fate: 'merged', reason: 3, times: { stack: 1.4 * MS, drop: 1.5 * MS } },
    ]);
  });
});
