/** The columns of the stages behind the driver stage, and how a row gets its end. */
import { FATE, FIRST_PACKET_STAGE, type Lane } from '../record/lane.js';
import { LATER, type LaterRecord } from '../record/later.js';
import { type StageName, stageIndex } from '../stages.js';

const columnOf = (stage: StageName): number => stageIndex(stage) - FIRST_PACKET_STAGE;

/** Indexes into {@link PacketColumns.times}. */
export const STACK: number = columnOf('stack');
export const TRANSPORT: number = columnOf('transport');
export const SOCKET: number = columnOf('socket');
export const READ: number = columnOf('read');
export const DROP: number = columnOf('drop');

/** True when nothing more will be told of a packet. */
export function hasEnded(lane: Lane, row: number): boolean {
  return lane.packets.ended[row] !== Number.POSITIVE_INFINITY;
}

/** Ends a packet with a read. One that was merged stays merged. */
export function takeRead(lane: Lane, row: number, record: LaterRecord, bytes: number): void {
  const { packets } = lane;
  packets.times[READ]![row] = record.time;
  packets.readerPid[row] = record.pid;
  packets.readerTid[row] = record.tid;
  packets.readBytes[row] = bytes;
  packets.ended[row] = record.time;
  if (packets.fate[row] === FATE.open) packets.fate[row] = FATE.read;
}

/** Gives a packet the end of the one that carries it; the bytes were counted there. */
export function followTo(from: Lane, its: number, lane: Lane, row: number): void {
  const { packets } = lane;
  for (const stage of [READ, DROP]) packets.times[stage]![row] = from.packets.times[stage]![its] as number;
  packets.dropReason[row] = from.packets.dropReason[its] as number;
  packets.readerPid[row] = from.packets.readerPid[its] as number;
  packets.readerTid[row] = from.packets.readerTid[its] as number;
  packets.ended[row] = from.packets.ended[its] as number;
}

/** True for the end of an skb that never came in, at the address of a packet that was freed unseen. */
export function isStranger({ what, entered }: LaterRecord): boolean {
  return !entered && (what === LATER.drop || what === LATER.consumed || what === LATER.released);
}
