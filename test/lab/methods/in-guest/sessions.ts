/** Sessions of one method in the guest: started, listened to, stopped twice, drained, closed twice; and what it told. */
import { quantile } from '../../../../src/base/stats.js';
import type { Method, MethodRequest } from '../../../../src/method/method.js';
import { type InterruptRecord, type TraceSource, interruptStart } from '../../../../src/record/source.js';
import { kernelObjects, leftBehind } from './left.js';
import { type Counted, type Machine, count, monotonic, sleep } from './machine.js';
import {
  BUSY,
  type Bounds,
  type ByIrq,
  type Heard,
  type InterruptsHeard,
  LOOKS,
  OVERFLOW,
  type PacketsHeard,
  type Part,
  type Traffic,
} from './results.js';

/** Between a stamp and the kernel's count of the interrupt it is of, however slow the CPU. */
const MARGIN_NS = 5e6;
/** Without traffic between its parts: longer than the margins. */
const PAUSE_MS = 25;
/** How often frames are sent, at most, until they have made enough interrupts. */
const ROUNDS = 30;
const MOST_SENTENCES = 5;
const LADDER = ['entry', 'claim', 'isr', 'exit'] as const;

/** How the reader behaves: drains all the time, or not before the stop. */
export type Reader = 'steady' | 'sleeps';

/** A source from its start to its end, the same for interrupts and packets. */
class Session {
  raw = 0;
  readonly lost: Record<string, number> = {};
  private readonly source: TraceSource;
  private readonly reader: Reader;

  constructor(source: TraceSource, reader: Reader) {
    this.source = source;
    this.reader = reader;
    source.onLoss = ({ cause, count: lost }) => (this.lost[cause] = (this.lost[cause] ?? 0) + lost);
    // What came since the start is of no traffic that is judged.
    source.drain();
  }

  meanwhile(): void {
    if (this.reader === 'steady') this.raw += this.source.drain();
  }

  /** Stops it and reads what is left; twice is once. */
  stop(): void {
    const { source } = this;
    source.stop();
    source.stop();
    this.raw += source.drain();
    this.raw += source.drain();
  }

  close(): void {
    this.source.close();
    this.source.close();
  }

  get facts(): Pick<Heard, 'raw' | 'lost'> {
    const { raw, lost } = this;
    return { raw, lost };
  }
}

/** A number per key. */
function tally<Item>(items: readonly Item[], keyOf: (item: Item) => number): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const item of items) counts[keyOf(item)] = (counts[keyOf(item)] ?? 0) + 1;
  return counts;
}

/** Sorted times per key. */
function timesBy<Item>(
  items: readonly Item[],
  keyOf: (item: Item) => number,
  timeOf: (item: Item) => number,
): [string, number[]][] {
  return Object.keys(tally(items, keyOf)).map((key) => {
    const times = items.filter((item) => String(keyOf(item)) === key).map(timeOf);
    return [key, times.sort((a, b) => a - b)];
  });
}

function medianGap(times: readonly number[]): number {
  const gaps = times.slice(1).map((time, i) => time - (times[i] as number));
  return quantile(
    gaps.sort((a, b) => a - b),
    0.5,
  );
}

function disorderOf(records: readonly InterruptRecord[]): string[] {
  const said: string[] = [];
  const last = new Map<number, number>();
  for (const record of records) {
    const times = LADDER.map((stage) => [stage, record[stage]] as const).filter(
      ([, time]) => !Number.isNaN(time),
    );
    if (times.length === 0) said.push('a record without a time');
    for (const [i, [stage, time]] of times.entries()) {
      const before = times[i - 1];
      if (before !== undefined && before[1] > time)
        said.push(`IRQ ${record.irq}: ${stage} ${before[1] - time} ns before ${before[0]}`);
    }
    const start = interruptStart(record);
    const previous = last.get(record.cpu) ?? Number.NEGATIVE_INFINITY;
    if (start < previous)
      said.push(`CPU ${record.cpu}: ${previous - start} ns before the record in front of it`);
    last.set(record.cpu, start);
  }
  return said.slice(0, MOST_SENTENCES);
}

const between = (before: Counted, after: Counted, irqs: readonly number[]): number =>
  irqs.reduce((sum, irq) => sum + (after.counts.get(irq) ?? 0) - (before.counts.get(irq) ?? 0), 0);

/**
 * Interrupts of both lines, in parts: each line is busy in every one of them, however many frames that takes. With a reader
 * that sleeps, all at once: more of the second line than any buffer has room for.
 * @returns the looks at the kernel's counts, and the number of the last traffic
 */
async function interruptsFor(
  machine: Machine,
  reader: Reader,
  meanwhile: () => void,
): Promise<{ looks: Counted[]; number: number }> {
  const [traffic, enough, parts]: readonly [Traffic, readonly number[], number] =
    reader === 'steady' ? ['both', [BUSY, BUSY], LOOKS - 1] : ['busy', [BUSY, OVERFLOW], 1];
  const looks = [count()];
  let number = 0;
  for (let part = 0; part < parts; part++) {
    const from = looks[looks.length - 1] as Counted;
    await sleep(PAUSE_MS);
    const isEnough = (now: Counted): boolean =>
      machine.irqs.every((irq, index) => between(from, now, [irq]) > (enough[index] as number));
    let now: Counted;
    let round = 0;
    do {
      number = await machine.traffic(traffic, meanwhile);
      now = count();
    } while (!isEnough(now) && ++round < ROUNDS);
    looks.push(now);
  }
  return { looks, number };
}

/** Listens to interrupts. */
export async function hearInterrupts(
  method: Method,
  machine: Machine,
  request: MethodRequest,
  reader: Reader,
): Promise<InterruptsHeard> {
  const before = kernelObjects();
  const first = count();
  const source = await method.start(request);
  const base = Number(source.base);
  const records: InterruptRecord[] = [];
  source.onInterrupt = (record) => records.push(record);
  let looks: readonly Counted[];
  let facts: Session['facts'];
  let number: number;
  try {
    const session = new Session(source, reader);
    ({ looks, number } = await interruptsFor(machine, reader, () => session.meanwhile()));
    session.stop();
    session.close();
    ({ facts } = session);
  } finally {
    source.close();
  }
  const last = count();
  const [begin, end] = [looks[0] as Counted, looks.at(-1) as Counted];
  const bounds = (irqs: readonly number[]): Bounds => ({
    least: between(begin, end, irqs),
    most: between(first, last, irqs),
  });
  const irqOf = ({ irq }: InterruptRecord): number => irq;
  const start = (record: InterruptRecord): number => interruptStart(record) + base;
  const during = (from: number, to: number): ByIrq =>
    tally(
      records.filter((record) => start(record) >= from && start(record) <= to),
      irqOf,
    );
  const wanted = request.irqs.map(({ irq }) => irq);
  const parts = looks.slice(1).map((to, index): Part => {
    const from = looks[index] as Counted;
    return {
      counted: Object.fromEntries(wanted.map((irq) => [irq, between(from, to, [irq])])),
      within: during(from.from - MARGIN_NS, to.to + MARGIN_NS),
      inside: during(from.to + MARGIN_NS, to.from - MARGIN_NS),
    };
  });
  const outside = records.filter((record) =>
    LADDER.some((stage) => record[stage] + base < first.from || record[stage] + base > last.to),
  );
  return {
    ...facts,
    traffic: number,
    wanted,
    seen: tally(records, irqOf),
    within: during(begin.from - MARGIN_NS, end.to + MARGIN_NS),
    counted: Object.fromEntries(wanted.map((irq) => [irq, bounds([irq])])),
    all: bounds(machine.lines),
    outside: outside.length,
    disorder: disorderOf(records),
    parts,
    stamps: LADDER.filter((stage) => records.some((record) => !Number.isNaN(record[stage]))),
    places: [...new Set(records.map(({ irq, cpu, vector }) => `${irq} CPU ${cpu} vector ${vector}`))],
    left: await leftBehind(before),
  };
}

interface PacketRow {
  readonly cpu: number;
  readonly queue: number;
  readonly time: number;
}

/** The first stage of a packet itself that a source stamps, as a column. */
function firstColumn(source: TraceSource): number {
  const times = source.lanes.map(({ packets }) => packets.times);
  const found = times[0]?.findIndex((_, column) =>
    source.lanes.some(({ packets, count: rows }) => rows > 0 && !Number.isNaN(packets.times[column]?.[0])),
  );
  return Math.max(0, found ?? 0);
}

function rowsOf(source: TraceSource): PacketRow[] {
  const column = firstColumn(source);
  return source.lanes.flatMap(({ cpu, count: rows, packets }) =>
    Array.from({ length: rows }, (_, row) => ({
      cpu,
      queue: (packets.queue[row] as number) - 1,
      time: (packets.times[column]?.[row] as number) + Number(source.base),
    })),
  );
}

function packetDisorder(rows: readonly PacketRow[]): string[] {
  return rows
    .flatMap((row, i) => {
      const previous = rows[i - 1];
      return previous?.cpu === row.cpu && previous.time > row.time
        ? [`CPU ${row.cpu}: ${previous.time - row.time} ns before the packet in front of it`]
        : [];
    })
    .slice(0, MOST_SENTENCES);
}

/** One of the methods that listen to packets together. */
export interface PacketListener {
  readonly method: Method;
  readonly request: MethodRequest;
}

/** Listens to packets with several methods at once. @returns by the order of `listeners` */
export async function hearPackets(
  listeners: readonly PacketListener[],
  machine: Machine,
  traffic: Traffic,
  reader: Reader,
): Promise<(PacketsHeard | Error)[]> {
  const before = kernelObjects();
  const started = monotonic();
  const sources = await Promise.all(
    listeners.map(({ method, request }) =>
      method
        .start(request)
        .catch((error: unknown) => (error instanceof Error ? error : new Error(String(error)))),
    ),
  );
  const running = sources.map((source) => (source instanceof Error ? source : new Session(source, reader)));
  const sessions = running.filter((one) => one instanceof Session);
  let number: number;
  try {
    number = await machine.traffic(traffic, () => sessions.forEach((one) => one.meanwhile()));
    for (const one of sessions) one.stop();
  } finally {
    for (const one of sessions) one.close();
  }
  const last = monotonic();
  const left = await leftBehind(before);
  return running.map((one, index) => {
    const source = sources[index];
    return one instanceof Error || source === undefined || source instanceof Error
      ? (one as Error)
      : packetsHeard(one, source, { number, started, last, left });
  });
}

function packetsHeard(
  { facts }: Session,
  source: TraceSource,
  { number, started, last, left }: { number: number; started: number; last: number; left: readonly string[] },
): PacketsHeard {
  const rows = rowsOf(source);
  const queueOf = ({ queue }: PacketRow): number => queue;
  return {
    ...facts,
    traffic: number,
    seen: tally(rows, queueOf),
    gap: Object.fromEntries(
      timesBy(rows, queueOf, ({ time }) => time).map(([queue, times]) => [queue, medianGap(times)]),
    ),
    outside: rows.filter(({ time }) => !(time >= started && time <= last)).length,
    disorder: packetDisorder(rows),
    left,
  };
}
