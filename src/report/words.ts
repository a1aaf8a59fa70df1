/** What a packet's columns are called when they are shown: class, error bar, context, place, and how its way ended. */
import { barText } from '../base/time.js';
import { HOW, HOW_NAMES, type PacketCursor, VIA_NAMES } from '../packet/arrival.js';
import { CONTEXT, FATE, UNKNOWN_BYTES } from '../record/lane.js';
import { stageIndex } from '../stages.js';
import type { Lookups } from './lookups.js';

const READ = stageIndex('read');
const DROP = stageIndex('drop');

/** Behind a class: the evidence leaves another way, it is only the likely one. */
const PROBABLE = '?';

/** Names of {@link FATE}, indexed by it. */
export const FATE_NAMES: readonly string[] = Object.keys(FATE);

/** Every word that {@link contextWords} may give; a softirq is the usual place and needs no word. */
export const CONTEXT_WORDS: readonly string[] = [
  ...VIA_NAMES.filter((_, via) => via !== CONTEXT.softirq),
  'rps',
];

/** Where the packet was polled, if not in a plain softirq, and `rps` where another CPU took it over. */
export function contextWords(cursor: PacketCursor): string[] {
  const words: string[] = cursor.via === CONTEXT.softirq ? [] : [VIA_NAMES[cursor.via] as string];
  if (cursor.rps) words.push('rps');
  return words;
}

/** `own-irq`, `batch 2/3`, `polled? 1/3`, `own-irq threaded`, `unknown`. */
export function howText(cursor: PacketCursor): string {
  const { how, k, n } = cursor;
  const place = how === HOW.batch || (n > 1 && how !== HOW.unknown) ? ` ${k}/${n}` : '';
  const mark = cursor.certain || how === HOW.unknown ? '' : PROBABLE;
  // A class that is a place says it already.
  const where = contextWords(cursor).filter((word) => word !== HOW_NAMES[how]);
  return [`${HOW_NAMES[how]}${mark}${place}`, ...where].join(' ');
}

/** The error bar of an arrival: `-3.1µs`, `-3.1µs+0.4µs`, `?` where nothing is known about the time before. */
export function errorBar(cursor: PacketCursor): string {
  const { arrival, notBefore, notAfter } = cursor;
  const early = Number.isNaN(notBefore)
    ? '?'
    : `${notBefore > arrival ? '+' : '-'}${barText(Math.abs(arrival - notBefore))}`;
  return notAfter > arrival ? `${early}+${barText(notAfter - arrival)}` : early;
}

/** Interrupt and place of a packet as text; `-` where it has none. */
export function placeOf(cursor: PacketCursor): { irq: string; vector: string; cpu: string; queue: string } {
  const { lane, row, poll } = cursor;
  const line = poll >= 0 && (lane.polls.irq[poll] as number) !== 0;
  const vector = line ? (lane.polls.vector[poll] as number) : 0; // 0 as well where no interrupt led to the poll
  const queue = lane.packets.queue[row] as number;
  return {
    irq: line ? String(lane.polls.irq[poll]) : '-',
    vector: vector === 0 ? '-' : `0x${vector.toString(16)}`,
    cpu: lane.cpu < 0 ? '-' : String(lane.cpu),
    queue: queue === 0 ? '-' : String(queue - 1),
  };
}

/** A name that the kernel or a user chose, on one line and without control characters. */
function plain(name: string): string {
  return name.replace(/\p{Cc}/gu, '?');
}

/** `nginx[812]`, `nginx[812/815]` for another thread of it, `[812]` where the name was not seen. */
export function taskText(name: string | undefined, tid: number, pid = tid): string {
  return `${plain(name ?? '')}[${pid === tid ? tid : `${pid}/${tid}`}]`;
}

function readerText(cursor: PacketCursor, lookups: Lookups): string {
  const { packets } = cursor.lane;
  const [tid, pid] = [packets.readerTid[cursor.row] as number, packets.readerPid[cursor.row] as number];
  return tid === 0 ? '' : ` by ${taskText(lookups.task(tid), tid, pid)}`;
}

function reasonText(cursor: PacketCursor, lookups: Lookups): string {
  const reason = lookups.dropReason(cursor.lane.packets.dropReason[cursor.row] as number);
  return reason === undefined ? '' : `: ${reason}`;
}

/** What became of the packet that this one was merged into, as far as it was seen. */
function carriedText(cursor: PacketCursor, lookups: Lookups): string {
  if (!Number.isNaN(cursor.stage(READ))) return `, read${readerText(cursor, lookups)}`;
  return Number.isNaN(cursor.stage(DROP)) ? '' : `, dropped${reasonText(cursor, lookups)}`;
}

/**
 * How the packet's way ended: `read by nginx[812], 100 B`, `dropped: NO_SOCKET`, `merged into t4`; `-` where that was not
 * seen. `with t3`: packets shown before that were merged into this one.
 */
export function fateText(cursor: PacketCursor, lookups: Lookups): string {
  const parts = lookups.mergedFrom(cursor);
  const end = endText(cursor, lookups);
  return parts.length === 0 ? end : `${end}, with ${parts.map((number) => `t${number}`).join(' ')}`;
}

function endText(cursor: PacketCursor, lookups: Lookups): string {
  const { packets } = cursor.lane;
  const { row } = cursor;
  const woken = packets.wokenTid[row] as number;
  const waiting = woken === 0 ? '' : `, woke ${taskText(lookups.task(woken), woken)}`;
  const bytes = packets.readBytes[row] as number;
  switch (packets.fate[row] as number) {
    case FATE.read:
      return `read${readerText(cursor, lookups)}${bytes === UNKNOWN_BYTES ? '' : `, ${bytes} B`}`;
    case FATE.dropped:
      return `dropped${reasonText(cursor, lookups)}`;
    case FATE.merged: {
      const into = lookups.mergedInto(cursor);
      return `${into === undefined ? 'merged' : `merged into t${into}`}${carriedText(cursor, lookups)}`;
    }
    case FATE.queued:
      return `queued${waiting}`;
    case FATE.closed:
      return 'closed unread';
    case FATE.kernel:
    case FATE.forwarded:
      return FATE_NAMES[packets.fate[row] as number] as string;
    default:
      return '-';
  }
}
