/** Any traffic on three CPUs, whose rings are read one after the other: every packet leaves once, whole, with its end. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HandSource } from '../../test/support/hand-source.js';
import { addPacket } from '../../test/support/lanes.js';
import { FATE, FIRST_PACKET_STAGE, packetId } from '../record/lane.js';
import { type StageName, stageIndex } from '../stages.js';
import { PacketCursor } from './arrival.js';
import { Joiner } from './join.js';

const US = 1000;
const LADDER: readonly StageName[] = ['driver', 'stack', 'ip', 'transport', 'socket', 'read', 'drop'];
const UP = ['stack', 'ip', 'transport', 'socket'] as const;
const CPUS = 3;
const IPV4 = 0x0800;

type Fate = keyof typeof FATE;

/** What must come out. */
interface Truth {
  readonly id: number;
  readonly driver: number;
  fate: Fate;
  read?: number;
  tid: number;
  into: number;
  stamps: Partial<Record<StageName, number>>;
}

/** A record on its way into a ring: softirq ring of a CPU, or its second one. */
interface Write {
  readonly time: number;
  readonly ring: number;
  readonly run: () => void;
}

const word = (value: number, bytes: number): number[] =>
  Array.from({ length: bytes }, (_, i) => Math.floor(value / 2 ** (8 * (bytes - 1 - i))) & 0xff);

function headers(tcp: { sequence: number; payload: number } | undefined): number[] {
  const bytes = tcp === undefined ? 100 : 40 + tcp.payload;
  const protocol = tcp === undefined ? 17 : 6;
  const ip = [0x45, 0, ...word(bytes, 2), 0, 1, 0x40, 0, 64, protocol, 0, 0, 10, 0, 0, 2, 10, 0, 0, 1];
  const ports = [...word(1000, 2), ...word(80, 2)];
  if (tcp === undefined) return [...ip, ...ports];
  return [...ip, ...ports, ...word(tcp.sequence, 4), 0, 0, 0, 0, 0x50, 16, ...word(0, 6)];
}

const step = fc.integer({ min: 1, max: 300 });
const delays = fc.record({
  gap: step,
  up: fc.tuple(step, step, step, step),
  end: fc.integer({ min: 1, max: 40_000 }),
  reader: fc.nat(CPUS - 1),
});
const packets = fc.array(
  fc.oneof(
    fc.record({
      kind: fc.constantFrom('read', 'dropped', 'kernel', 'queued', 'closed'),
      ...pick(),
      how: delays,
    }),
    fc.record({ kind: fc.constant('tcp'), ...pick(), how: delays }),
  ),
  { maxLength: 25 },
);
function pick() {
  return { payload: fc.integer({ min: 1, max: 3000 }), merged: fc.boolean() };
}

class World {
  readonly source = new HandSource(CPUS, LADDER);
  readonly joiner = new Joiner(this.source, 'drop', undefined, { waitNs: 500_000 * US });
  readonly truth: Truth[] = [];
  readonly writes: Write[] = [];

  add(time: number, ring: number, run: () => void): void {
    this.writes.push({ time, ring, run });
  }

  /** All packets of one CPU; its TCP segments are one connection. */
  cpu(
    cpu: number,
    list: readonly (typeof packets extends fc.Arbitrary<infer T> ? T : never)[number][],
    first: number,
  ): void {
    const sock = 64 * (cpu + 1);
    let time = 1000 + cpu;
    let sequence = first;
    let carrier: { truth: Truth; place: number } | undefined;
    let pendingRead = 0;
    for (const [place, { kind, payload, merged, how }] of list.entries()) {
      time += how.gap * US;
      time -= time % CPUS;
      time += cpu;
      const tcp = kind === 'tcp' ? { sequence: sequence % 2 ** 32, payload } : undefined;
      const row = {
        driver: time,
        none: true,
        protocol: IPV4,
        bytes: headers(tcp),
        length: this.truth.length,
      };
      const truth: Truth = {
        id: this.truth.length,
        driver: time,
        fate: 'open',
        tid: 0,
        into: -1,
        stamps: {},
      };
      this.truth.push(truth);
      this.add(time, cpu, () => void addPacket(this.source.lanes[cpu]!, row));
      const named = { origin: cpu, sequence: place, cpu };
      if (tcp !== undefined) {
        sequence += payload;
        if (merged && carrier !== undefined) {
          truth.fate = 'merged';
          truth.into = packetId(cpu, carrier.place);
          truth.stamps = carrier.truth.stamps;
          const into = { intoOrigin: cpu, intoSequence: carrier.place };
          this.add(time + 1, cpu, () => this.source.tell('merged', { ...named, ...into, time: time0 }));
        } else carrier = { truth, place };
        const time0 = time + 1;
        const copied = sequence % 2 ** 32;
        // GRO holds the carrier until the last merged one has come: its way up begins after this packet.
        const mine = carrier;
        const next = list[place + 1];
        const last = next === undefined || next.kind !== 'tcp' || !next.merged;
        if (last) {
          const up = this.climb(time, how.up, { ...named, sequence: mine.place }, sock, cpu);
          Object.assign(mine.truth.stamps, up);
          time = up.socket;
        }
        pendingRead = Math.max(pendingRead, time + 2000 * US) + how.end * US;
        truth.read = pendingRead;
        truth.tid = 100 + how.reader;
        if (truth.fate === 'open') truth.fate = 'read';
        const read = { sock, copied, time: pendingRead, pid: 1, tid: truth.tid, name: 'r' };
        this.add(pendingRead, CPUS + how.reader, () => this.source.tell('tcpRead', read));
        continue;
      }
      carrier = undefined;
      truth.fate = kind as Fate;
      const up = this.climb(time, how.up, named, 0, cpu, kind === 'kernel' || kind === 'dropped' ? 3 : 4);
      truth.stamps = up;
      const end = Math.max(...Object.values(up)) + how.end * US;
      time = Math.max(...Object.values(up));
      const ring = CPUS + how.reader;
      const ending = { ...named, time: end, cpu: how.reader, entered: true };
      if (kind === 'read') {
        truth.read = end;
        truth.tid = 100 + how.reader;
        this.add(end, ring, () =>
          this.source.tell('read', { ...ending, pid: 1, tid: truth.tid, name: 'r', bytes: 1 }),
        );
      } else if (kind === 'kernel') this.add(end, ring, () => this.source.tell('consumed', ending));
      else if (kind !== 'queued') {
        truth.stamps = { ...up, drop: end };
        const reason = kind === 'closed' ? 2 : 3;
        this.add(end, ring, () => this.source.tell('drop', { ...ending, reason }));
      }
    }
  }

  private climb(
    from: number,
    steps: readonly number[],
    named: { origin: number; sequence: number },
    sock: number,
    cpu: number,
    stages = 4,
  ): Record<(typeof UP)[number], number> {
    let time = from + 2;
    const up = UP.slice(0, stages).map((stage, i) => {
      time += (steps[i] as number) * US;
      const record = { ...named, stage: stageIndex(stage), time, cpu, sock };
      const what = stage === 'socket' && sock !== 0 ? 'tcpSocket' : 'stamp';
      this.add(time, cpu, () => this.source.tell(what, record));
      return [stage, time] as const;
    });
    return Object.fromEntries(up) as Record<(typeof UP)[number], number>;
  }

  /** Runs the rings and drains, and returns what left, in its order. */
  run(drains: readonly number[], delay: number): Truth[] {
    const left: Truth[] = [];
    const rings = Array.from({ length: 2 * CPUS }, (_, ring) =>
      this.writes.filter((one) => one.ring === ring).sort((a, b) => a.time - b.time),
    );
    const end = Math.max(0, ...this.writes.map((one) => one.time)) + 2000 * US;
    for (let now = 0, i = 0; now <= end; i++) {
      now += drains[i % drains.length]!;
      // Each ring is read a little later than the one before.
      for (const [ring, queue] of rings.entries())
        while (queue[0] !== undefined && queue[0].time + delay <= now + ring * 30 * US) queue.shift()!.run();
      this.source.drainedTo = now;
      this.leave(left, false);
    }
    this.leave(left, true);
    return left;
  }

  private leave(left: Truth[], final: boolean): void {
    const cursor = new PacketCursor();
    this.joiner.begin(final);
    while (this.joiner.next(cursor, final)) {
      const { lane, row } = cursor;
      const columns = lane.packets;
      const at = (stage: StageName): number => columns.times[stageIndex(stage) - FIRST_PACKET_STAGE]![row]!;
      const stamps = LADDER.filter(
        (stage) => stage !== 'driver' && stage !== 'read' && !Number.isNaN(at(stage)),
      );
      left.push({
        id: columns.length[row]!,
        driver: at('driver'),
        fate: Object.keys(FATE)[columns.fate[row]!] as Fate,
        ...(Number.isNaN(at('read')) ? {} : { read: at('read') }),
        tid: columns.readerTid[row]!,
        into: columns.mergedInto[row]!,
        stamps: Object.fromEntries(stamps.map((stage) => [stage, at(stage)])),
      });
    }
    this.joiner.end();
  }
}

describe('any traffic', () => {
  it('comes out whole, once, in order, each packet with its own end and the stamps of whoever carried it', () => {
    fc.assert(
      fc.property(
        fc.tuple(packets, packets, packets),
        fc.array(fc.integer({ min: 500 * US, max: 15_000 * US }), { minLength: 1, maxLength: 40 }),
        fc.integer({ min: 0, max: 800 * US }),
        fc.integer({ min: 0, max: 2 ** 32 - 1 }),
        (cpus, drains, delay, first) => {
          const world = new World();
          for (const [cpu, list] of cpus.entries()) world.cpu(cpu, list, first);
          const left = world.run(drains, delay);
          expect(left).toEqual(world.truth.toSorted((a, b) => a.driver - b.driver));
          expect([world.joiner.late, world.joiner.unmatchedStages, world.source.losses]).toEqual([0, 0, []]);
        },
      ),
      { numRuns: 300 },
    );
  });
});
