/** Whether a function of a chain can be hooked: tried, with the kernel's reason where it refuses. */
import { hookProbe } from '../feature/hooks.js';
import { hostHooks } from '../feature/host-hooks.js';
import { tryFentryOn } from '../sys/fentry-trial.js';
import { HOST, type KernelFiles } from '../sys/files.js';
import { tryKprobe } from '../sys/kprobe-trial.js';
import { kprobeBlacklist, protectedSections, traceableFunctions } from '../sys/probe-files.js';

/** An answer for one kind of hook. */
export interface Answered {
  readonly possible: boolean;
  /** Why not; null where it is. */
  readonly reason: string | null;
}

/** What can hang on a function. */
export interface Hookable {
  readonly fentry: Answered;
  readonly kprobe: Answered;
}

/** A function: its name, an address in it where known, its module. */
export interface Place {
  readonly name: string;
  readonly address: bigint | undefined;
  readonly module: string | undefined;
}

/** What the kernel's files say against hooks on a function, by their words; undefined: nothing. */
export function listedReason(
  { name, address }: Place,
  files: {
    readonly blacklist: ReadonlySet<string> | undefined;
    readonly traceable: ReadonlySet<string> | undefined;
    readonly sections: readonly { readonly name: string; readonly from: bigint; readonly to: bigint }[];
  },
): string | undefined {
  const section = files.sections.find(
    ({ from, to }) => address !== undefined && address >= from && address < to,
  );
  const told = [
    ...(section === undefined
      ? []
      : [section.name === 'entry' ? 'entry code in assembler (.entry.text)' : 'noinstr (.noinstr.text)']),
    ...(files.blacklist?.has(name) ? ['in kprobes/blacklist'] : []),
    ...(files.traceable !== undefined && !files.traceable.has(name)
      ? ['not in available_filter_functions']
      : []),
  ];
  return told.length === 0 ? undefined : told.join(', ');
}

const answered = (refused: string | undefined, listed: string | undefined): Answered =>
  refused === undefined
    ? { possible: true, reason: null }
    : { possible: false, reason: listed === undefined ? refused : listed };

/** Asks for all of them. Programs and probes are put on and taken off again. */
export function askHookable(places: readonly Place[], files: KernelFiles = HOST): Hookable[] {
  const door = hostHooks();
  try {
    const probe = hookProbe(door);
    const lists = {
      blacklist: kprobeBlacklist(files),
      traceable: traceableFunctions(files),
      sections: protectedSections(files),
    };
    return places.map((place) => {
      const listed = listedReason(place, lists);
      const answer =
        place.module === undefined
          ? probe({ kind: 'fentry', target: place.name, program: '' })
          : { possible: 'no', reason: tryFentryOn(place.name) };
      const refused = answer.possible === 'yes' ? undefined : answer.reason;
      return { fentry: answered(refused, listed), kprobe: answered(tryKprobe(place.name), listed) };
    });
  } finally {
    door.close();
  }
}
