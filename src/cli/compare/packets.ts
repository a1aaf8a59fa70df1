/** Methods that see packets, all at once: how late the stamp of each is behind the driver and behind the interrupt. */
import { type PacketSighting, matchPackets, packetLateness } from '../../compare/packets.js';
import type { PacketReport } from '../../compare/report.js';
import type { Method, MethodRequest } from '../../method/method.js';
import { type ArrivalFacts, HOW, PacketCursor } from '../../packet/arrival.js';
import { Joiner } from '../../packet/join.js';
import { HEADER_WORDS, PACKET_AT_ETHERNET } from '../../record/lane.js';
import type { TraceSource } from '../../record/source.js';
import { STAGES, stageIndex } from '../../stages.js';
import { clockNow } from '../../sys/libc.js';
import { drainUntil, lostOf, monotonic, startAll, stopped } from './listen.js';

const DRIVER = stageIndex('driver');
const STACK = stageIndex('stack');
const ETHERNET_BYTES = 14;
/** The network and transport header of most packets; more than every method keeps is of no use. */
const KEY_BYTES = 40;

/** The first bytes from the network header on. */
function bytesOf({ lane, row }: PacketCursor): string {
  const { packets } = lane;
  const skip = ((packets.flags[row] as number) & PACKET_AT_ETHERNET) === 0 ? 0 : ETHERNET_BYTES;
  const captured = packets.capturedLength[row] as number;
  if (captured < skip + KEY_BYTES / 2) return '';
  const start = row * HEADER_WORDS * 4;
  return Buffer.from(packets.header.buffer, start + skip, Math.min(captured - skip, KEY_BYTES)).toString(
    'latin1',
  );
}

function sighting(cursor: PacketCursor, shift: number): PacketSighting {
  const driver = cursor.stage(DRIVER);
  const own = cursor.how === HOW.ownIrq && cursor.arrivalStage < DRIVER;
  const first = Number.isNaN(driver) ? cursor.stage(STACK) : driver;
  return {
    time: first + shift,
    driver: driver + shift,
    interrupt: own ? cursor.arrival + shift : Number.NaN,
    skb: cursor.lane.packets.skb[cursor.row] as number,
    bytes: bytesOf(cursor),
  };
}

/** Reads packets of a source as a trace does. */
class PacketReader {
  readonly sightings: PacketSighting[] = [];
  private readonly cursor = new PacketCursor();
  private readonly joiner: Joiner;
  private readonly shift: number;

  constructor(source: TraceSource, facts: ArrivalFacts, zero: bigint) {
    const has = (program: string): boolean => source.programs.includes(program);
    const own = { ...facts, tied: has('napi_prep'), starts: has('napi_poll_start') };
    this.joiner = new Joiner(source, 'stack', own);
    this.shift = Number(source.base - zero);
  }

  read(final: boolean): void {
    this.joiner.begin(final);
    while (this.joiner.next(this.cursor, final)) this.sightings.push(sighting(this.cursor, this.shift));
    this.joiner.end();
  }
}

/** Runs them until one of them has seen `count` packets, for no longer than `limitNs`. The first is the reference. */
export async function comparePackets(
  methods: readonly Method[],
  request: MethodRequest,
  facts: ArrivalFacts,
  count: number,
  limitNs: number,
): Promise<PacketReport[]> {
  const zero = clockNow('mono');
  const { listeners } = await startAll(methods, { ...request, interrupts: false, until: 'stack' }, zero);
  try {
    const readers = listeners.map(({ source }) => new PacketReader(source, facts, zero));
    const from = monotonic() - Number(zero);
    const most = (): number => Math.max(0, ...readers.map(({ sightings }) => sightings.length));
    const readAll = (final: boolean): void => readers.forEach((reader) => reader.read(final));
    await drainUntil(listeners, monotonic() + limitNs, () => {
      readAll(false);
      return most() >= count || stopped();
    });
    const to = monotonic() - Number(zero);
    for (const { source } of listeners) source.stop();
    for (const { source } of listeners) source.drain();
    readAll(true);
    const within = readers.map(({ sightings }) => sightings.filter(({ time }) => time >= from && time <= to));
    const reference = within[0] ?? [];
    return listeners.map((listener, index) => {
      const { method, source } = listener;
      const way = source.ways.find((one) => one.hook !== undefined && stageIndex(one.stage) >= DRIVER);
      const seen = within[index] ?? [];
      const found = index === 0 ? reference : matchPackets(reference, seen);
      return {
        method: method.name,
        stage: way?.stage ?? STAGES[DRIVER]!.name,
        hook: way?.hook ?? '',
        packets: seen.length,
        lost: lostOf(listener),
        ...packetLateness(reference, found),
      };
    });
  } finally {
    for (const { source } of listeners) source.close();
  }
}
