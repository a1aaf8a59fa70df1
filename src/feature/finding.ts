/** The shape of what `rxstamp doctor` finds. Pure types. */
import type { Answer } from '../base/answer.js';
import type { Stamping } from '../nic/hardware-stamps.js';
import type { Nic } from '../nic/nic.js';
import type { KernelFiles } from '../sys/files.js';
import type { CrossMethod } from '../sys/ptp.js';

/** `problem`: tracing fails. `note`: it works, and this changes what a stamp means. `unknown`: could not tell. */
export type Level = 'ok' | 'note' | 'problem' | 'unknown';

/** What one check found. */
export interface Finding {
  readonly level: Level;
  /** What is there, with its value: `rx-usecs 50, adaptive`. */
  readonly found: string;
  /** What it does to a stamp, with size and direction. */
  readonly effect?: string;
  /** A command that changes it, or an instruction; never run by rxstamp. */
  readonly cure?: string;
  /** The command that puts it back. */
  readonly undo?: string;
}

/** A finding with the check it came from. */
export interface NamedFinding extends Finding {
  readonly id: string;
  readonly title: string;
  readonly group: 'machine' | 'nic';
}

/** What is known of a NIC's own timestamps. */
export interface StampFacts {
  readonly stamping: Answer<Stamping>;
  /** How its clock can be read, how well (ns in either direction), and how much faster than ours it runs, ppm. */
  readonly clock: Answer<{ readonly method: CrossMethod; readonly error: number; readonly drift: number }>;
  /** A killed run's change that is still there: names of filters. */
  readonly leftover: { readonly from: string; readonly to: string } | undefined;
}

/** Output of the programs that were run for an interface, and what its driver says of its timestamps. */
export interface NicTexts {
  readonly coalescing: Answer<string>;
  readonly offloads: Answer<string>;
  readonly stamps: StampFacts;
  readonly link: Answer<string>;
}

/** What checks look at. */
export interface CheckContext {
  readonly files: KernelFiles;
  readonly nic: Nic | undefined;
  /** Undefined where there is no interface to ask about. */
  readonly texts: NicTexts | undefined;
}

/** One check. Several findings where there is more than one thing to say; none where it does not apply. */
export interface Check {
  readonly id: string;
  readonly title: string;
  readonly group: 'machine' | 'nic';
  run(context: CheckContext): Finding | readonly Finding[] | undefined;
}

/** A check of the machine. */
export function machineCheck(
  id: string,
  title: string,
  run: (files: KernelFiles) => ReturnType<Check['run']>,
): Check {
  return { id, title, group: 'machine', run: ({ files }) => run(files) };
}

/** A check of the interface; not run without one. */
export function nicCheck(
  id: string,
  title: string,
  run: (nic: Nic, texts: NicTexts, files: KernelFiles) => ReturnType<Check['run']>,
): Check {
  return {
    id,
    title,
    group: 'nic',
    run: ({ nic, texts, files }) => (nic && texts ? run(nic, texts, files) : undefined),
  };
}
