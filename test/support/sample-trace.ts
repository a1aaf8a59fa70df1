/** A small trace made by hand: every way to arrive, CLOCK_REALTIME, two CPUs. For tests of what prints it. */
import { Timeline } from '../../src/base/time.js';
import { PacketCursor, RULE, classify } from '../../src/packet/arrival.js';
import { FATE, Lane } from '../../src/record/lane.js';
import { LossLedger } from '../../src/record/loss.js';
import type { InterruptRecord } from '../../src/record/source.js';
import type { FormatMaker, TraceMeta } from '../../src/report/format/format.js';
import type { Lookups } from '../../src/report/lookups.js';
import { Merges } from '../../src/report/merges.js';
import { Summary } from '../../src/report/summary.js';
import type { StageName } from '../../src/stages.js';
import { addPacket, closePoll } from './lanes.js';

export const SHOWN: readonly StageName[] = ['entry', 'isr', 'driver', 'stack'];

/** 2026-09-21 or so, in nanoseconds: beyond 2^53, where doubles step by 256. */
export const ZERO = 1_790_000_000_000_000_007n;

const udp = [0x45, 0, 0, 28, 0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 0, 2, 10, 0, 0, 1, 3, 232, 39, 15];

export const META: TraceMeta = {
  version: '0.1.0',
  kernel: '6.1.0-test',
  started: '2026-09-21T12:53:20.000Z',
  clock: { name: 'realtime', offsetErrorNs: 40 },
  until: 'stack',
  method: 'ebpf',
  ways: [
    { stage: 'entry', hook: 'fentry irq_enter_rcu', reasons: [] },
    { stage: 'isr', hook: 'tracepoint irq_handler_entry', reasons: [] },
    { stage: 'poll', hook: undefined, reasons: ['fentry __napi_poll: not a function of this kernel'] },
    { stage: 'driver', hook: 'tracepoint napi_gro_receive_entry', reasons: [] },
    { stage: 'stack', hook: 'tracepoint netif_receive_skb', reasons: [] },
  ],
  ringBytesPerCpu: 65_536,
  filter: { interrupts: false },
  interfaces: [
    {
      name: 'eth7',
      ifindex: 7,
      driver: 'igb',
      irqs: [{ irq: 25, role: 'rxtx', queue: 0, cpu: 1, actions: ['eth7-TxRx-0'] }],
    },
  ],
};

export const INTERRUPT: InterruptRecord = {
  irq: 25,
  vector: 0x25,
  cpu: 1,
  entry: 1000,
  claim: 1100,
  isr: 1400,
  exit: 2600,
  napiId: 8193,
};

export const RESTRICTED_INTERRUPT: InterruptRecord = {
  ...INTERRUPT,
  vector: 0,
  entry: Number.NaN,
  claim: Number.NaN,
  napiId: 0,
};

function makeLanes(): [Lane, Lane] {
  const [zero, one] = [new Lane(0), new Lane(1)];
  const head = { length: 28, queue: 1, protocol: 0x0800, bytes: udp };
  addPacket(one, { ...head, driver: 5000, stack: 7500, vlan: 42 });
  addPacket(one, { ...head, driver: 6000, queue: 0 });
  const cause = { irq: 25, vector: 0x25, irqCpu: 1, napiId: 8193, pid: 0 };
  closePoll(one, { ...cause, packets: 2, end: 9000, times: { entry: 1000, isr: 1400 } });
  addPacket(one, { ...head, driver: 12_000 });
  closePoll(one, { irq: 25, napiId: 8193, pid: 17, flags: 0, packets: 1, end: 12_500 });
  addPacket(zero, { driver: 5500, length: 60, protocol: 0x88cc, none: true });
  addPacket(zero, { driver: 13_000, length: 60, protocol: 0x88cc });
  zero.abandonOpen(2);
  return [zero, one];
}

/** What the rules would say about each packet, said here: the formats are tested, not the rules. */
const SAID: readonly Partial<PacketCursor>[] = [
  { notBefore: -2100, notAfter: 1000, certain: true, rule: RULE.own },
  { notBefore: Number.NaN, notAfter: 5500, certain: true, rule: RULE.noIrq },
  { notBefore: -2100, notAfter: 6000, certain: false, rule: RULE.batchInferred },
  { notBefore: Number.NaN, notAfter: 12_000, certain: false, rule: RULE.maskedInferred },
  { notBefore: Number.NaN, notAfter: 13_000, certain: false, rule: RULE.cut },
];

/** The packets of the trace in the order of their driver stamps: own-irq, no-irq, batch, polled, unknown. */
export function eachPacket(visit: (cursor: PacketCursor, number: number) => void): void {
  const [zero, one] = makeLanes();
  const order: readonly (readonly [Lane, number])[] = [
    [one, 0],
    [zero, 0],
    [one, 1],
    [one, 2],
    [zero, 1],
  ];
  const cursor = new PacketCursor();
  for (const [index, [lane, row]] of order.entries()) {
    cursor.lane = lane;
    cursor.row = row;
    classify(cursor);
    Object.assign(cursor, SAID[index]);
    visit(cursor, index + 1);
  }
}

/** What is stamped of {@link renderWays}. */
export const WAY_STAGES: readonly StageName[] = ['driver', 'stack', 'socket', 'read', 'drop'];

interface Way {
  readonly fate: keyof typeof FATE;
  readonly times?: Partial<Record<StageName, number>>;
  /** Row of the packet it was merged into. */
  readonly into?: number;
  readonly columns?: Partial<
    Record<'dropReason' | 'wokenTid' | 'readerPid' | 'readerTid' | 'readBytes', number>
  >;
}

const READ_BY_SERVER = { readerPid: 812, readerTid: 815, readBytes: 100 } as const;

/** A packet for every way to end: packet 3 was merged into an earlier one, packet 4 into a later one. */
const WAYS: readonly Way[] = [
  {
    fate: 'read',
    times: { stack: 200, socket: 500, read: 9000 },
    columns: { ...READ_BY_SERVER, wokenTid: 815 },
  },
  { fate: 'dropped', times: { stack: 200, drop: 300 }, columns: { dropReason: 3 } },
  {
    fate: 'merged',
    into: 0,
    times: { stack: 200, read: 9000 },
    columns: { ...READ_BY_SERVER, readBytes: 0 },
  },
  { fate: 'merged', into: 4, times: { drop: 500 }, columns: { dropReason: 3 } },
  { fate: 'dropped', times: { drop: 500 } },
  { fate: 'queued', times: { socket: 700 }, columns: { wokenTid: 9 } },
  { fate: 'closed' },
  { fate: 'kernel' },
  { fate: 'forwarded' },
  { fate: 'open' },
];

const NAMES: Readonly<Record<number, string>> = { 815: 'serve, "fast"' };
const REASONS: Readonly<Record<number, string>> = { 3: 'NO_SOCKET' };

/** Everything that a format writes for a trace of packets that end in every way, in lines. Packet n: driver at n ms. */
export function renderWays(maker: FormatMaker): string[] {
  const lane = new Lane(2);
  for (const [index, { fate, into, times, columns }] of WAYS.entries()) {
    const driver = (index + 1) * 1_000_000;
    const moved = Object.entries(times ?? {}).map(([stage, time]) => [stage, driver + time]);
    const row = addPacket(lane, { driver, times: Object.fromEntries(moved), length: 60, none: true });
    lane.packets.fate[row] = FATE[fate];
    if (into !== undefined) lane.packets.mergedInto[row] = lane.idOf(into);
    for (const [name, value] of Object.entries(columns ?? {}))
      lane.packets[name as keyof NonNullable<Way['columns']>][row] = value;
  }
  const merges = new Merges();
  const lookups: Lookups = {
    task: (tid) => NAMES[tid],
    dropReason: (reason) => REASONS[reason],
    mergedInto: (cursor) => merges.into(cursor),
    mergedFrom: (cursor) => merges.from(cursor),
  };
  const format = maker(new Timeline(0n), WAY_STAGES, lookups);
  const summary = new Summary(WAY_STAGES, lookups);
  summary.lateStages = 1;
  const cursor = new PacketCursor();
  cursor.lane = lane;
  let out = format.header({ ...META, until: 'drop' });
  for (cursor.row = 0; cursor.row < WAYS.length; cursor.row++) {
    classify(cursor);
    summary.count(cursor);
    merges.note(cursor, cursor.row + 1);
    out += format.packet(cursor, cursor.row + 1);
  }
  out += format.summary(summary, new LossLedger());
  return out.split('\n').slice(0, -1);
}

/** Everything that a format writes for the trace, in lines. */
export function render(maker: FormatMaker, meta: TraceMeta = META): string[] {
  const format = maker(new Timeline(0n, ZERO), SHOWN);
  const summary = new Summary(SHOWN);
  const ledger = new LossLedger();
  let out = format.header(meta);
  eachPacket((cursor, number) => {
    summary.count(cursor);
    out += format.packet(cursor, number);
  });
  for (const interrupt of [INTERRUPT, RESTRICTED_INTERRUPT])
    out += format.interrupt(interrupt, ++summary.interrupts);
  for (const loss of [
    { cause: 'ring_full', cpu: 1, count: 3, from: 2000, to: 9000 },
    { cause: 'missed', cpu: -1, count: 1, from: 0, to: 20_000 },
  ] as const) {
    ledger.add(loss);
    out += format.loss(loss);
  }
  out += format.summary(summary, ledger);
  return out.split('\n').slice(0, -1);
}
