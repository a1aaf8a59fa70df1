/**
 * Names of what must be put into the kernel under a name: they say whose it is, so that whoever comes later can tell
 * what a killed run has left from what is in use. `rxstamp_PID_START_N`, and `_NS` behind it in a PID namespace.
 */
import { readdirSync, readlinkSync } from 'node:fs';
import { HOST, type KernelFiles } from './files.js';
import { type ProcessId, lives, thisProcess } from './process.js';

/** PROC_PID_INIT_INO of include/linux/proc_ns.h. */
const INITIAL = '4026531836';

const NAME = /^rxstamp_(\d+)_(\d+)_(\d+)(?:_(\d+))?$/;

let made = 0;

function namespaceOf(pid: number | 'self'): string {
  try {
    return /\d+/.exec(readlinkSync(`/proc/${pid}/ns/pid`))?.[0] ?? INITIAL;
  } catch {
    return INITIAL;
  }
}

/** A name of this process that it has not used before; at most 60 characters, all of which may stand in a C identifier. */
export function newOwnerName(): string {
  const { pid, started } = thisProcess();
  const namespace = namespaceOf('self');
  return `rxstamp_${pid}_${started}_${made++}${namespace === INITIAL ? '' : `_${namespace}`}`;
}

/** What a name says. */
export interface Owner extends ProcessId {
  /** Its PID namespace, as the number of the link in /proc/PID/ns; undefined: the kernel's first one. */
  readonly namespace: string | undefined;
}

/** The owner in a name; undefined where it is none of rxstamp's names. */
export function ownerOf(name: string): Owner | undefined {
  const match = NAME.exec(name);
  return match === null
    ? undefined
    : { pid: Number(match[1]), started: Number(match[2]), namespace: match[4] };
}

/** The machine as {@link ownerState} asks it. */
export interface ProcessView {
  readonly files: KernelFiles;
  readonly namespace: string;
  /** Whether any process that can be seen lives in a PID namespace. */
  inUse(namespace: string): boolean;
}

function thisView(): ProcessView {
  return {
    files: HOST,
    namespace: namespaceOf('self'),
    inUse: (namespace) =>
      readdirSync('/proc').some((pid) => /^\d+$/.test(pid) && namespaceOf(Number(pid)) === namespace),
  };
}

/**
 * Whether an owner is at work. `hidden`: it counts processes in another PID namespace that still has some, so that
 * nobody can tell from here.
 */
export function ownerState(owner: Owner, view: ProcessView = thisView()): 'lives' | 'gone' | 'hidden' {
  const namespace = owner.namespace ?? INITIAL;
  if (namespace === view.namespace) return lives(owner, view.files) ? 'lives' : 'gone';
  // From inside a container only its own processes can be seen.
  if (view.namespace !== INITIAL) return 'hidden';
  return view.inUse(namespace) ? 'hidden' : 'gone';
}
