/** Whether fentry works on a function by name, of the kernel or of a module: a program is attached and taken off. */
import { RxError } from '../base/errors.js';
import { BpfObject } from './libbpf.js';
import { readObject } from './package.js';

const OBJECT = 'chain.bpf.o';
/** It looks at no argument: those of another function may be pointers. */
const PROGRAM = 'time_fentry_0';

/** @returns undefined when it works, else why not: a lower-case fragment */
export function tryFentryOn(name: string): string | undefined {
  const object = BpfObject.open(readObject(OBJECT), OBJECT);
  try {
    object.select(new Set([PROGRAM]));
    if (!object.target(PROGRAM, name))
      return 'neither the kernel’s type information (BTF) nor a module’s has it';
    object.load();
    object.attach(PROGRAM);
    return undefined;
  } catch (error) {
    if (!(error instanceof RxError)) throw error;
    // Behind the errno come libbpf's guesses at its cause.
    return `the kernel refuses it (${/\bE[A-Z]{3,}\b/.exec(error.message)?.[0] ?? error.message})`;
  } finally {
    object.close();
  }
}
