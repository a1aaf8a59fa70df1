/**
 * Dynamic events: probes on kernel functions, defined in files that everybody's probes share. Definitions are appended
 * and taken away one by one, under a group whose name says whose they are; they are enabled and filtered only in an
 * instance of rxstamp's own.
 */
import { atEnd } from './at-end.js';
import { newOwnerName } from './owner-name.js';
import type { Tracefs } from './tracefs.js';

/** A probe. Its event is `GROUP/GROUP_label`: kprobe_profile tells events by their last name only. */
export interface ProbeDefinition {
  /** `entry`: behind the owner's name. */
  readonly label: string;
  /** Kernel function. */
  readonly target: string;
  /** What it fetches: `vector=$arg2:u32`. */
  readonly fetch: string;
}

/** Kinds of probes, with the file that defines them and the letter in front of a definition. */
export const PROBE_KINDS = {
  kprobe: { file: 'kprobe_events', letter: 'p' },
  fprobe: { file: 'dynamic_events', letter: 'f' },
} as const;

/** Kind of a probe. */
export type ProbeKind = keyof typeof PROBE_KINDS;

/** Counts of a probe, of the line in kprobe_profile; 0 where there is none. */
export function missedInProfile(profile: string, event: string): number {
  const line = new RegExp(`^\\s*${event}\\s+\\d+\\s+(\\d+)\\s*$`, 'm').exec(profile);
  return Number(line?.[1] ?? '0');
}

/** Probes of one owner, from {@link ProbeGroup.define} to {@link ProbeGroup.remove}. */
export class ProbeGroup {
  readonly kind: ProbeKind;
  /** Its folder below events/. */
  readonly name = newOwnerName();
  private readonly tracefs: Tracefs;
  private readonly events: string[] = [];
  private readonly forget: () => void;

  constructor(tracefs: Tracefs, kind: ProbeKind) {
    this.tracefs = tracefs;
    this.kind = kind;
    this.forget = atEnd(() => this.remove());
  }

  /** Defines a probe; nothing is hooked before its event is enabled. @returns `GROUP/EVENT`. @throws RxError RXS_TRACEFS */
  define({ label, target, fetch }: ProbeDefinition): string {
    const { file, letter } = PROBE_KINDS[this.kind];
    const event = `${this.name}/${this.name}_${label}`;
    this.tracefs.append(file, `${letter}:${event} ${target} ${fetch}`);
    this.events.push(event);
    return event;
  }

  /** Hits that the kernel skipped so far: the probe was hit inside of another one's work on that CPU (nmissed). */
  missed(): number {
    if (this.kind !== 'kprobe') return 0;
    const profile = this.tracefs.read('kprobe_profile');
    return this.events.reduce((sum, event) => sum + missedInProfile(profile, event.split('/')[1] ?? ''), 0);
  }

  /** Takes the definitions away; no instance may have them enabled. Twice is once. @throws RxError RXS_TRACEFS */
  remove(): void {
    this.forget();
    for (const event of this.events.splice(0).reverse())
      this.tracefs.append(PROBE_KINDS[this.kind].file, `-:${event}`);
  }
}
