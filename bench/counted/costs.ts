/** From the loads of a side and of the untraced guest to what one packet and one interrupt cost. */
import type { SideRun } from './parse.js';
import type { CountedSide } from './sides.js';

/** Added instructions. */
export interface Costs {
  /** Kernel side: a packet that has an interrupt and a poll to itself. */
  readonly packetWithIrq: number;
  /** Kernel side: each further packet that the same poll finds. */
  readonly furtherPacket: number;
  /** Kernel side: the interrupt with its softirq and poll, without the packet: the difference of the two. */
  readonly interrupt: number;
  /** Kernel side: a timer tick, an interrupt that is none of the tracer's business. */
  readonly otherInterrupt: number;
  /** Kernel-side added, part of what the untraced kernel spends on such a packet (sending it included). */
  readonly share: number;
}

/** Rounds of the plain loop with a tick in them, above those without. */
function tickCost(run: SideRun): number {
  const rounds = Object.entries(run.spin.rounds).map(([value, times]) => ({ value: Number(value), times }));
  const least = rounds[0]?.value ?? Number.NaN;
  const ticks = rounds.filter(({ value }) => value > least + 1000);
  let left = ticks.reduce((sum, { times }) => sum + times, 0) / 2;
  // The middle one: some ticks have other work to do as well.
  return (ticks.find(({ times }) => (left -= times) <= 0)?.value ?? Number.NaN) - least;
}

/** Costs of one run against an untraced one. @param burst packets per burst */
export function costsOf(run: SideRun, untraced: SideRun, burst: number): Costs {
  const packetWithIrq = run.single.mean - untraced.single.mean;
  const wholeBurst = run.burst.mean - untraced.burst.mean;
  const furtherPacket = (wholeBurst - packetWithIrq) / (burst - 1);
  return {
    packetWithIrq,
    furtherPacket,
    interrupt: packetWithIrq - furtherPacket,
    otherInterrupt: tickCost(run) - tickCost(untraced),
    share: packetWithIrq / untraced.single.mean,
  };
}

/** Reader, all its processes: instructions per packet, from a live run and a run without live packets. */
export function readerCost(side: CountedSide, run: SideRun, without: SideRun, live: number): number {
  if (run.live === undefined || run.idle === undefined) return Number.NaN;
  const during = (run.live - run.idle) / live;
  // Live packets come twice: once to warm up.
  const atEnd = ((run.exit ?? Number.NaN) - (without.exit ?? Number.NaN)) / (2 * live);
  return side.defers ? during + atEnd : during;
}
