/** The printed report of the native bench. */
import type { Machine } from '../lib/machine.js';
import { type Spread, spread } from '../../src/base/stats.js';
import { count, percent, textTable } from '../lib/text-table.js';
import type { FirstStamp } from './first-stamp.js';
import type { BpfCost, ReplayCost } from './insides.js';
import { type Run, type SideRun, UNTRACED } from './rounds.js';

/** All that a run has measured. */
export interface NativeResult {
  readonly machine: Machine;
  readonly runs: readonly Run[];
  readonly programs: readonly BpfCost[];
  readonly first: FirstStamp;
  readonly replay: ReplayCost;
}

/** Part of a flood's packets from which others' matter. */
const DISTURBED = 0.001;

const three = (values: Spread, show: (value: number) => string): string =>
  `${show(values.median)} (${show(values.min)}-${show(values.max)})`;
const digits =
  (after: number) =>
  (value: number): string =>
    value.toFixed(after);

function sideRow(side: string, runs: readonly SideRun[]): string[] {
  const sum = (pick: (run: SideRun) => number | undefined): number =>
    runs.reduce((total, run) => total + (pick(run) ?? Number.NaN), 0);
  const column = (pick: (run: SideRun) => number | undefined): Spread =>
    spread(runs.map((run) => pick(run) ?? Number.NaN));
  const kpps = three(
    column((run) => run.pps / 1000),
    digits(0),
  );
  if (side === UNTRACED) return [side, '1', kpps, count(sum((run) => run.sent)), '', '', '', '', '', ''];
  const lost = sum((run) => run.lost);
  const sent = sum((run) => run.sent);
  return [
    side,
    three(
      column((run) => run.kept),
      (value) => (value * 100).toFixed(1),
    ).concat(' %'),
    kpps,
    count(sent),
    count(sum((run) => run.seen)),
    `${count(lost)} (${percent(lost / sent)})`,
    [...new Set(runs.map((run) => run.exitCode))].join(','),
    digits(0)(column((run) => run.readerNs).median),
    digits(0)(column((run) => (run.readerPeakKiB ?? Number.NaN) / 1024).max),
    digits(0)(sum((run) => run.outputBytes) / sum((run) => run.seen)),
  ];
}

function sidesTable(runs: readonly Run[]): string {
  const heading = [
    'side',
    'kept',
    'kpps',
    'sent',
    'seen',
    'lost',
    'exit',
    'reader ns/pkt',
    'peak MiB',
    'B/pkt',
  ];
  const rows = [...new Set(runs.map((run) => run.side))].map((side) => {
    const done = runs.filter((run): run is SideRun => run.side === side && 'pps' in run);
    const gaps = runs.filter((run) => run.side === side && 'notMeasured' in run);
    if (done.length === 0)
      return [
        side,
        `not measured: ${gaps.map((run) => ('notMeasured' in run ? run.notMeasured : '')).join('; ')}`,
      ];
    const row = sideRow(side, done);
    if (gaps.length > 0) row[0] = `${side} (${gaps.length} rounds without result)`;
    return row;
  });
  rows.sort((a, b) => Number(b[0] === UNTRACED) - Number(a[0] === UNTRACED));
  return textTable([heading, ...rows]);
}

/** One line per flood that was not seen packet by packet. */
function lossLines(runs: readonly Run[]): string[] {
  return runs.flatMap((run) => {
    const where = `round ${run.round}, ${run.side}`;
    if ('notMeasured' in run) return [`${where}: not measured: ${run.notMeasured}`];
    const { sent, received, lost = 0, says = '' } = run;
    const lines = received === sent ? [] : [`${where}: sent ${sent}, but the interface received ${received}`];
    if (lost < 0)
      lines.push(`${where}: ${-lost} more in its record than were sent: not packets of the flood`);
    // Its closing words about loss are enough.
    if (lost > 0)
      lines.push(`${where}: ${lost} of ${sent} not seen; it says: ${/lost \d.*/.exec(says)?.[0] ?? says}`);
    return lines;
  });
}

/** Floods that others' packets ran beside, on whatever CPU: their rates say little. */
function disturbance(runs: readonly Run[]): string[] {
  const beside = runs.filter((run): run is SideRun => 'pps' in run && run.foreign > run.sent * DISTURBED);
  if (beside.length === 0) return [];
  const most = Math.max(...beside.map((run) => run.foreign));
  return [
    `DISTURBED: other programs' packets ran beside ${beside.length} of ${runs.length} floods (up to ${count(most)}); run again when it is quiet`,
  ];
}

/** The report as text. */
export function report(result: NativeResult): string {
  const { machine, runs, programs, first, replay } = result;
  const bpf = programs.flatMap(({ side, sent, programs: list }) =>
    list.map(({ name, runs: count_, nsPerRun }) => [
      side,
      name,
      digits(3)(count_ / sent),
      digits(0)(nsPerRun),
    ]),
  );
  const ms = digits(0);
  return [
    `Linux ${machine.kernel}, ${machine.cpu}, ${machine.cores} cores, node ${machine.node}, load before ${machine.loadBefore}`,
    Object.entries(machine.tools)
      .map(([name, version]) => `${name}: ${version}`)
      .join(' · '),
    '',
    'UDP flood, 64 B payload, one core sends and receives (veth, no NAPI): packet rate kept, of the untraced flood of the',
    'same round: median (least-greatest). Interrupts and polls: veth has none, so no rung below the driver stage is attached.',
    sidesTable(runs),
    ...lossLines(runs),
    ...disturbance(runs),
    '',
    'BPF programs by the kernel’s count (each run includes about 25-50 ns of its own clock reads):',
    textTable([['side', 'program', 'runs/pkt', 'ns/run'], ...bpf]),
    '',
    `decode + join alone, ns/packet: ${three(replay.noPolls, digits(1))} without polls, ${three(replay.pollsOf1, digits(1))} one packet per poll, ${three(replay.pollsOf8, digits(1))} eight per poll (${replay.records} records of ${replay.bytesPerRecord} B)`,
    `start to first stamp: ${three(first.toStampMs, ms)} ms; to its line on stdout: ${three(first.toLineMs, ms)} ms (${first.raw.length} starts)`,
  ].join('\n');
}
