import { describe, expect, it } from 'vitest';
import { HandSource } from '../../test/support/hand-source.js';
import { addPacket, type PacketRow } from '../../test/support/lanes.js';
import { FATE, FIRST_PACKET_STAGE, packetId } from '../record/lane.js';
import { type StageName, stageIndex } from '../stages.js';
import { PacketCursor } from './arrival.js';
import { Joiner } from './join.js';

const MS = 1_000_000;
const SOCK = 0x888111111180;
const IPV4 = 0x0800;
const IPV6 = 0x86dd;
const LADDER: readonly StageName[] = ['driver', 'stack', 'ip', 'transport', 'socket', 'read', 'drop'];
const [ACK, FIN] = [16, 17];

const name = (fate: number): string => Object.entries(FATE).find(([, value]) => value === fate)?.[0] ?? '';
const word = (value: number, bytes: number): number[] =>
  Array.from({ length: bytes }, (_, i) => Math.floor(value / 2 ** (8 * (bytes - 1 - i))) & 0xff);

/** Headers of an IPv4 TCP segment. */
function segment(sequence: number, payload: number, flags = ACK): Partial<PacketRow> {
  const ip = [0x45, 0, ...word(40 + payload, 2), 0, 1, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 2, 10, 0, 0, 1];
  const tcp = [
    ...word(1000, 2),
    ...word(80, 2),
    ...word(sequence, 4),
    ...word(7, 4),
    0x50,
    flags,
    0xff,
    0xff,
    0,
    0,
    0,
    0,
  ];
  return { protocol: IPV4, bytes: [...ip, ...tcp] };
}

/** Headers of a UDP datagram, or of a fragment of one at `offset` (in 8 bytes). */
function datagram(id = 1, offset?: number, more = false): Partial<PacketRow> {
  const flags = (more ? 0x2000 : 0) | (offset ?? 0);
  const ip = [0x45, 0, 0, 128, ...word(id, 2), ...word(flags, 2), 64, 17, 0, 0, 10, 0, 0, 2, 10, 0, 0, 1];
  return { protocol: IPV4, bytes: [...ip, ...word(1000, 2), ...word(9999, 2)] };
}

function fragment6(id: number, offset: number, more: boolean): Partial<PacketRow> {
  const ip = [0x60, 0, 0, 0, 0, 108, 44, 64, ...Array.from({ length: 31 }, () => 1), offset & 1];
  ip[39] = 1;
  return {
    protocol: IPV6,
    bytes: [...ip, 17, 0, ...word((offset << 3) | (more ? 1 : 0), 2), ...word(id, 4)],
  };
}

interface Left {
  readonly id: number;
  readonly fate: string;
  readonly reader: number;
  readonly bytes: number;
  readonly into: number;
  readonly reason: number;
  readonly woken: number;
  readonly times: Partial<Record<StageName, number>>;
}

function setUp(lanes = 1, stages: readonly StageName[] = LADDER, waitNs?: number) {
  const source = new HandSource(lanes, stages);
  const joiner = new Joiner(source, stages.at(-1) as StageName, undefined, { waitNs });
  let packets = 0;
  return {
    source,
    joiner,
    /** A packet of lane `cpu` at millisecond `ms`. */
    packet: (ms: number, row: Partial<PacketRow> = datagram(), cpu = 0): void => {
      addPacket(source.lanes[cpu]!, { driver: ms * MS, length: packets++, none: true, ...row });
    },
    /** Packet `sequence` of lane 0 passes these stages, a microsecond each. */
    pass: (sequence: number, ms: number, ...through: StageName[]): void => {
      for (const [i, stage] of through.entries()) source.stamp(stage, 0, sequence, ms * MS + i * 1000);
    },
    leave: (ms: number, final = false): Left[] => {
      const cursor = new PacketCursor();
      const left: Left[] = [];
      source.drainedTo = ms * MS;
      joiner.begin(final);
      while (joiner.next(cursor, final)) {
        const { lane, row } = cursor;
        const p = lane.packets;
        const stamps = stages
          .map((stage) => [stage, p.times[stageIndex(stage) - FIRST_PACKET_STAGE]![row]!] as const)
          .filter(([, time]) => !Number.isNaN(time));
        left.push({
          id: p.length[row]!,
          fate: name(p.fate[row]!),
          reader: p.readerTid[row]!,
          bytes: p.readBytes[row]!,
          into: p.mergedInto[row]!,
          reason: p.dropReason[row]!,
          woken: p.wokenTid[row]!,
          times: Object.fromEntries(stamps),
        });
      }
      joiner.end();
      return left;
    },
  };
}

const UP = ['stack', 'ip', 'transport', 'socket'] as const;
const BY = { pid: 70, tid: 71, name: 'reader' };

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
