/** All checks in one place. */
import type { Nic } from '../nic/nic.js';
import type { RunProgram } from '../sys/programs.js';
import type { CheckContext, NamedFinding, NicTexts } from './finding.js';
import { type StageReport, wayReason } from './hooks.js';
import { MACHINE_CHECKS } from './machine-checks.js';
import { NIC_CHECKS } from './nic-checks.js';
import { stampFacts } from './stamp-check.js';

/** The table of checks, in the order they are shown. */
export const CHECKS = [...MACHINE_CHECKS, ...NIC_CHECKS];

/** The conclusion. */
export interface Verdict {
  /** Tracing will work here. */
  readonly works: boolean;
  /** Earliest stage that can be stamped, and how; null when none. */
  readonly earliest: { readonly stage: string; readonly way: string } | null;
  readonly sentence: string;
}

/** The document of `rxstamp doctor --json`. */
export interface DoctorDocument {
  readonly schema: 'rxstamp.doctor/1';
  readonly interface: string | null;
  readonly verdict: Verdict;
  readonly stages: readonly StageReport[];
  readonly findings: readonly NamedFinding[];
}

/** Runs the programs that tell about an interface, side by side. */
export async function nicTexts(nic: Nic, run: RunProgram): Promise<NicTexts> {
  const [coalescing, offloads, link, stamps] = await Promise.all([
    run('ethtool', ['-c', nic.name]),
    run('ethtool', ['-k', nic.name]),
    run('ip', ['-json', '-details', 'link', 'show', 'dev', nic.name]),
    stampFacts(nic),
  ]);
  return { coalescing, offloads, link, stamps };
}

/** Runs every check that applies. Changes nothing. */
export function examine(context: CheckContext): NamedFinding[] {
  return CHECKS.flatMap((check) => {
    const found = check.run(context) ?? [];
    const { id, title, group } = check;
    return [found].flat().map((finding) => Object.assign({ id, title, group }, finding));
  });
}

/** The verdict over stages and findings. An interface without interrupts has no stage before the driver. */
export function verdict(
  stages: readonly StageReport[],
  findings: readonly NamedFinding[],
  nic: Nic | undefined,
): Verdict {
  const stopper = findings.find((finding) => finding.level === 'problem');
  const quiet = nic !== undefined && nic.irqs.length === 0;
  const fromDriver = stages.findIndex(({ stage }) => stage === 'driver');
  const reachable = quiet ? stages.slice(fromDriver) : stages;
  const driver = stages[fromDriver];
  const first = reachable.find((stage) => stage.best !== undefined);
  const earliest = first?.best === undefined ? null : { stage: first.stage, way: first.best.label };
  if (stopper !== undefined) {
    const sentence = `no trace is possible: ${stopper.title}: ${stopper.found}`;
    return { works: false, earliest, sentence };
  }
  if (earliest === null || driver?.best === undefined) {
    const why = driver?.ways.map(wayReason).find((reason) => reason !== '');
    return {
      works: false,
      earliest,
      sentence: `no trace is possible: no hook on packets (${why ?? 'none found'})`,
    };
  }
  const lost = reachable.slice(
    0,
    Math.max(
      0,
      reachable.findIndex((stage) => stage === first),
    ),
  );
  const because = lost.map(({ stage, ways }) => `${stage} is out of reach: ${ways.map(wayReason)[0] ?? ''}`);
  const none = quiet ? [nic.noIrqs ?? 'the interface has no interrupts'] : because;
  const tail = none.length === 0 ? '' : `, because ${none.join('; ')}`;
  return {
    works: true,
    earliest,
    sentence: `the earliest stamp here is ${earliest.stage} (${earliest.way})${tail}`,
  };
}
