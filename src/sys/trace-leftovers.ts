/**
 * What killed runs have left in tracefs: instances and probes whose name tells a process that is gone. What belongs to
 * one that lives, or to anybody else, is not touched.
 */
import { readdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { RxError } from '../base/errors.js';
import { ownerOf, ownerState } from './owner-name.js';
import type { Tracefs } from './tracefs.js';

/** One thing that rxstamp has put into tracefs. */
export interface Leftover {
  readonly what: 'instance' | 'probe';
  /** An instance's name, or a probe's `GROUP/EVENT`. */
  readonly name: string;
  readonly pid: number;
  /** `hidden`: of another PID namespace, where nobody can tell from here whether it lives. */
  readonly state: 'lives' | 'gone' | 'hidden';
}

/** Definitions in dynamic_events or kprobe_events: `p:GROUP/EVENT TARGET …`, `f:…`, with a number behind `r` and `p`. */
export function probesIn(definitions: string): readonly string[] {
  return [...definitions.matchAll(/^\w+:(rxstamp_\w+\/\w+) /gm)].map((match) => match[1] as string);
}

/** Before Linux 5.0 there is only the list of kprobes. */
function definitionFile(tracefs: Tracefs): string | undefined {
  return ['dynamic_events', 'kprobe_events'].find((file) => tracefs.has(file));
}

function instances(tracefs: Tracefs): readonly string[] {
  try {
    return readdirSync(join(tracefs.path, 'instances'));
  } catch (cause) {
    throw tracefs.refused('reading', 'instances', undefined, cause);
  }
}

/** Everything in tracefs that bears rxstamp's name: instances first, because an enabled probe cannot be removed. */
export function findOwn(tracefs: Tracefs): readonly Leftover[] {
  const file = definitionFile(tracefs);
  const names = [
    ...instances(tracefs).map((name) => ['instance', name, name] as const),
    ...(file === undefined ? [] : probesIn(tracefs.read(file))).map(
      (name) => ['probe', name, name.split('/')[0] ?? ''] as const,
    ),
  ];
  return names.flatMap(([what, name, by]) => {
    const owner = ownerOf(by);
    return owner === undefined ? [] : [{ what, name, pid: owner.pid, state: ownerState(owner) }];
  });
}

function remove(tracefs: Tracefs, { what, name }: Leftover): void {
  if (what === 'probe') {
    tracefs.append(definitionFile(tracefs) as string, `-:${name}`);
    return;
  }
  try {
    rmdirSync(join(tracefs.path, 'instances', name));
  } catch (cause) {
    throw tracefs.refused('writing', `instances/${name}`, undefined, cause);
  }
}

/** A leftover that was to be removed. */
export interface Removed {
  readonly leftover: Leftover;
  /** Why it is still there; undefined: it is gone. */
  readonly why: string | undefined;
}

/** Removes what owners that are gone have left. Never throws for one of them: the others are removed all the same. */
export function removeLeftovers(tracefs: Tracefs): readonly Removed[] {
  return findOwn(tracefs)
    .filter(({ state }) => state === 'gone')
    .map((leftover) => {
      try {
        remove(tracefs, leftover);
        return { leftover, why: undefined };
      } catch (error) {
        // Another run may have been quicker.
        if (!(error instanceof RxError)) throw error;
        const there = findOwn(tracefs).some(({ name }) => name === leftover.name);
        return { leftover, why: there ? error.message : undefined };
      }
    });
}
