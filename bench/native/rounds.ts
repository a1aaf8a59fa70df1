/** The interleaved rounds: every side floods once per round, the order rotates, ratios are taken within a round. */
import { costSince, processCost } from '../lib/process-cost.js';
import { installed } from '../lib/run.js';
import { FLOOD_BYTES, type Setting, type Tracer } from './tracer.js';
import { emptyFolder } from './tracers.js';

/** One flood with one tracer, or without. */
export interface SideRun {
  readonly side: string;
  readonly round: number;
  readonly sent: number;
  readonly received: number;
  /** Packets of others meanwhile. */
  readonly foreign: number;
  readonly elapsedNs: number;
  readonly pps: number;
  /** Of the untraced flood of the same round; NaN for that one. */
  readonly kept: number;
  readonly seen?: number;
  readonly lost?: number;
  readonly says?: string;
  readonly exitCode?: number;
  readonly outputBytes?: number;
  /** Reader's CPU time per packet sent, nanoseconds. */
  readonly readerNs?: number;
  readonly readerUserNs?: number;
  readonly readerSystemNs?: number;
  readonly readerPeakKiB?: number;
}

/** Why a side has no numbers. */
export interface NotMeasured {
  readonly side: string;
  readonly round: number;
  readonly notMeasured: string;
}

export type Run = SideRun | NotMeasured;

export const UNTRACED = 'untraced';

/** Short pause between floods: what they freed is given back, the CPU's clock settles. */
const PAUSE_MS = 300;

async function untraced(setting: Setting, packets: number, round: number): Promise<SideRun> {
  const { sent, received, foreign, elapsedNs } = await setting.link.flood({ packets, bytes: FLOOD_BYTES });
  return {
    side: UNTRACED,
    round,
    sent,
    received,
    foreign,
    elapsedNs,
    pps: (sent / elapsedNs) * 1e9,
    kept: Number.NaN,
  };
}

async function traced(setting: Setting, tracer: Tracer, packets: number, round: number): Promise<Run> {
  const side = tracer.name;
  if (!installed(tracer.needs)) return { side, round, notMeasured: `${tracer.needs} is not installed` };
  try {
    emptyFolder(setting.folder);
    const listening = await tracer.listen(setting);
    const before = processCost(listening.pid);
    const flood = await setting.link.flood({
      packets: Math.ceil(packets * tracer.share),
      bytes: FLOOD_BYTES,
    });
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    const cost = costSince(before, processCost(listening.pid));
    const { seen, says, exitCode, bytes } = await listening.stop();
    const { sent, received, foreign, elapsedNs } = flood;
    return {
      side,
      round,
      sent,
      received,
      foreign,
      elapsedNs,
      pps: (sent / elapsedNs) * 1e9,
      kept: Number.NaN,
      seen,
      lost: sent - seen,
      says,
      exitCode,
      outputBytes: bytes,
      readerNs: cost.cpuNs / sent,
      readerUserNs: cost.userNs / sent,
      readerSystemNs: cost.systemNs / sent,
      readerPeakKiB: cost.peakKiB,
    };
  } catch (error) {
    return { side, round, notMeasured: error instanceof Error ? error.message : String(error) };
  }
}

/** Runs the rounds; `say` hears about each. */
export async function runRounds(
  setting: Setting,
  tracers: readonly Tracer[],
  size: { readonly packets: number; readonly rounds: number },
  say: (line: string) => void,
): Promise<Run[]> {
  const runs: Run[] = [];
  const sides = [undefined, ...tracers];
  // Caches, the CPU's clock, the socket's buffer: not part of any side.
  await setting.link.flood({ packets: Math.min(size.packets, 500_000), bytes: FLOOD_BYTES });
  for (let round = 1; round <= size.rounds; round++) {
    const order = sides.map((_, index) => sides[(index + round - 1) % sides.length]);
    const ofRound: Run[] = [];
    for (const tracer of order) {
      const run = await (tracer === undefined
        ? untraced(setting, size.packets, round)
        : traced(setting, tracer, size.packets, round));
      ofRound.push(run);
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
    const base =
      ofRound.find((run): run is SideRun => 'pps' in run && run.side === UNTRACED)?.pps ?? Number.NaN;
    for (const run of ofRound)
      runs.push('pps' in run && run.side !== UNTRACED ? { ...run, kept: run.pps / base } : run);
    say(
      `round ${round}/${size.rounds}: ${runs
        .slice(-order.length)
        .map((run) => ('pps' in run ? `${run.side} ${Math.round(run.pps / 1000)} kpps` : `${run.side} -`))
        .join(', ')}`,
    );
  }
  return runs;
}
