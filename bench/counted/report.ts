/** The printed report of the counted bench. */
import type { Machine } from '../lib/machine.js';
import { type Spread, spread } from '../../src/base/stats.js';
import { count, textTable } from '../lib/text-table.js';
import { type Costs, costsOf, readerCost } from './costs.js';
import type { LoadSize } from './guest-script.js';
import type { SideRun } from './parse.js';
import { type CountedSide, LEVELS, type Level } from './sides.js';

/** A side's runs; a text where a run failed. */
export interface SideResult {
  readonly side: CountedSide;
  readonly runs: readonly (SideRun | string)[];
}

/** All that was measured. */
export interface CountedResult {
  readonly machine: Machine;
  readonly guest: string;
  readonly size: LoadSize;
  readonly untraced: readonly SideRun[];
  readonly sides: readonly SideResult[];
}

const TITLES: Readonly<Record<Level, string>> = {
  entry:
    'ENTRY: the time of the interrupt’s entry (rxstamp also the packet and which interrupt brought it; the peers the entry alone)',
  arrival:
    'ARRIVAL: entry, handler, raise, softirq, packet at the driver, end of poll (rxstamp also the poll’s start, joined)',
  stack: 'STACK: the same and netif_receive_skb',
  read: 'READ: the same and ip_rcv_core, udp_rcv, __udp_enqueue_schedule_skb, skb_consume_udp with the reader (rxstamp also who is woken, drops, GRO merges)',
};

/** `2110` where the runs agree to the digit, else `2110 (2108-2112)`. */
function exact({ median, min, max }: Spread): string {
  const [low, high] = [Math.round(min), Math.round(max)];
  return low === high ? count(low) : `${count(median)} (${count(low)}-${count(high)})`;
}

/** What a side's record should have. */
const due = (side: CountedSide): 'sent' | 'interrupts' => (side.counts === 'packets' ? 'sent' : 'interrupts');

/** Costs of each run of a side that worked. */
export function sideCosts(result: SideResult, untraced: readonly SideRun[], burst: number): Costs[] {
  return result.runs.flatMap((run, index) => {
    const base = untraced[index];
    return typeof run === 'string' || base === undefined ? [] : [costsOf(run, base, burst)];
  });
}

function reader({ side, runs }: SideResult, live: number): number {
  const [without, withLive] = [
    runs[0],
    runs.find((run) => typeof run !== 'string' && run.live !== undefined),
  ];
  if (typeof without !== 'object' || typeof withLive !== 'object') return Number.NaN;
  return readerCost(side, withLive, without, live);
}

function row(result: SideResult, all: CountedResult, cheapestPeer: number): string[] {
  const { side, runs } = result;
  const worked = runs.filter((run): run is SideRun => typeof run !== 'string');
  const reasons = runs.filter((run): run is string => typeof run === 'string');
  if (worked.length === 0) return [side.name, `not measured: ${reasons.join('; ')}`];
  const costs = sideCosts(result, all.untraced, all.size.burst);
  const column = (pick: (cost: Costs) => number): Spread => spread(costs.map(pick));
  const own = column((cost) => cost.packetWithIrq);
  const spent = reader(result, all.size.live);
  const sent = worked.reduce((sum, run) => sum + (run[due(side)] ?? Number.NaN), 0);
  const listed = worked.reduce((sum, run) => sum + (run.listed ?? Number.NaN), 0);
  return [
    side.name,
    exact(own),
    exact(column((cost) => cost.furtherPacket)),
    exact(column((cost) => cost.interrupt)),
    exact(column((cost) => cost.otherInterrupt)),
    `${Math.round((costs[0]?.share ?? Number.NaN) * 100)} %`,
    (own.median / cheapestPeer).toFixed(2),
    Number.isNaN(spent) ? 'not measured' : count(spent),
    `${count(listed)}/${count(sent)}`,
  ];
}

const HEADING = [
  'added guest instructions',
  'packet+irq',
  'further packet',
  'irq alone',
  'other irq',
  'of untraced',
  'vs best peer',
  'reader/packet',
  'seen/due',
];

function levelTable(level: Level, all: CountedResult): string {
  const sides = all.sides.filter(({ side }) => side.level === level);
  const cost = (result: SideResult): number =>
    spread(sideCosts(result, all.untraced, all.size.burst).map(({ packetWithIrq }) => packetWithIrq)).median;
  const peers = sides.filter(({ side }) => !side.name.startsWith('rxstamp')).map(cost);
  const cheapest = Math.min(...peers.filter((value) => !Number.isNaN(value)));
  return `${TITLES[level]}\n${textTable([HEADING, ...sides.map((result) => row(result, all, cheapest))])}`;
}

/** Irregularities that a reader of the table must know. */
function notes(all: CountedResult): string[] {
  return all.sides.flatMap(({ side, runs }) =>
    runs.flatMap((run, index) => {
      const where = `${side.level}, ${side.name}, run ${index + 1}`;
      if (typeof run === 'string') return [`${where}: not measured: ${run}`];
      const { single, burst, listed } = run;
      const sent = run[due(side)];
      // The counter is read before the tracer ends: the driver's own watchdog may raise one more meanwhile.
      const late = side.counts === 'interrupts' && (listed ?? 0) > (sent ?? 0);
      const loads = [single, burst].filter(({ rxIrqs, rounds }) => {
        const times = Object.values(rounds).reduce((sum, value) => sum + value, 0);
        return rxIrqs !== times;
      });
      const unread = [single, burst].filter(({ packets, read }) => packets !== read);
      return [
        ...loads.map(
          ({ rxIrqs, packets }) => `${where}: ${rxIrqs} interrupts for ${packets} packets, not one per burst`,
        ),
        ...unread.map(({ packets, read }) => `${where}: ${read} of ${packets} packets were read by the load`),
        ...(sent === listed || late ? [] : [`${where}: ${listed} of ${sent} ${side.counts} in its record`]),
      ];
    }),
  );
}

/** The report as text. */
export function report(all: CountedResult): string {
  const base = (pick: (run: SideRun) => number): string => exact(spread(all.untraced.map(pick)));
  return [
    `${all.guest}; ${Object.entries(all.machine.tools)
      .map(([name, version]) => `${name}: ${version}`)
      .join(' · ')}`,
    'Instructions of the guest, kernel side with the tracer’s reader asleep; reader: all its processes, user and kernel.',
    `${all.untraced.length} runs of ${all.size.rounds} rounds each; one number: the runs agree to the digit, else median (least-greatest).`,
    `untraced: a packet with its interrupt ${base((run) => run.single.mean)}, a burst of ${all.size.burst} ${base((run) => run.burst.mean)} (sending included)`,
    ...LEVELS.flatMap((level) =>
      all.sides.some(({ side }) => side.level === level) ? ['', levelTable(level, all)] : [],
    ),
    '',
    ...notes(all),
  ].join('\n');
}
