/** Packets and records by hand, and what leaves the joiner: for tests of the way to the reader. */
import { PacketCursor } from '../../src/packet/arrival.js';
import { Joiner } from '../../src/packet/join.js';
import { FATE, FIRST_PACKET_STAGE } from '../../src/record/lane.js';
import { type StageName, stageIndex } from '../../src/stages.js';
import { HandSource } from './hand-source.js';
import { addPacket, type PacketRow } from './lanes.js';

/** A millisecond in nanoseconds. */
export const MS = 1_000_000;
/** A socket's address. */
export const SOCK = 0x888111111180;
const IPV4 = 0x0800;
const IPV6 = 0x86dd;
/** The stages of the sources here. */
export const LADDER: readonly StageName[] = ['driver', 'stack', 'ip', 'transport', 'socket', 'read', 'drop'];
/** TCP flags. */
export const ACK = 16;
export const FIN = 17;

const name = (fate: number): string => Object.entries(FATE).find(([, value]) => value === fate)?.[0] ?? '';
const word = (value: number, bytes: number): number[] =>
  Array.from({ length: bytes }, (_, i) => Math.floor(value / 2 ** (8 * (bytes - 1 - i))) & 0xff);

/** Headers of an IPv4 TCP segment. */
export function segment(sequence: number, payload: number, flags = ACK): Partial<PacketRow> {
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
export function datagram(id = 1, offset?: number, more = false): Partial<PacketRow> {
  const flags = (more ? 0x2000 : 0) | (offset ?? 0);
  const ip = [0x45, 0, 0, 128, ...word(id, 2), ...word(flags, 2), 64, 17, 0, 0, 10, 0, 0, 2, 10, 0, 0, 1];
  return { protocol: IPV4, bytes: [...ip, ...word(1000, 2), ...word(9999, 2)] };
}

/** Headers of a fragment of an IPv6 datagram at `offset` (in 8 bytes). */
export function fragment6(id: number, offset: number, more: boolean): Partial<PacketRow> {
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

/** A source with `lanes` CPUs that stamps `stages`, and its joiner. */
export function setUp(lanes = 1, stages: readonly StageName[] = LADDER, waitNs?: number) {
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

/** The way of a datagram to its socket. */
export const UP = ['stack', 'ip', 'transport', 'socket'] as const;
/** Who reads. */
export const BY = { pid: 70, tid: 71, name: 'reader' };
