/** What every method on tracefs does before it listens, and every command that starts methods. */
import { RxError } from '../../base/errors.js';
import { removeLeftovers } from '../../sys/trace-leftovers.js';
import { TraceInstance } from '../../sys/trace-instance.js';
import { Tracefs } from '../../sys/tracefs.js';
import type { MethodRequest } from '../method.js';

/** tracefs, cleared of what killed runs had left, and what must be said about that. */
export interface Opened {
  readonly tracefs: Tracefs;
  readonly notes: readonly string[];
}

/** Opens tracefs. @throws RxError RXS_TRACEFS */
export function openTracefs(): Opened {
  const tracefs = Tracefs.open();
  const notes = removeLeftovers(tracefs).map(({ leftover: { what, name }, why }) =>
    why === undefined
      ? `removed ${what} ${name}, which a run that was killed had left`
      : `could not remove ${what} ${name}, which a run that was killed has left: ${why}`,
  );
  return { tracefs, notes };
}

/** Removes what killed runs have left, whatever is to be done next. @returns what must be said about that */
export function clearLeftovers(): readonly string[] {
  try {
    return openTracefs().notes;
  } catch (error) {
    // Where it is not mounted or not readable nothing can be cleared; those who need it say why.
    if (error instanceof RxError && error.code === 'RXS_TRACEFS') return [];
    throw error;
  }
}

/** An instance of `share` of the buffer that the request allows: events of methods differ in size. */
export function newInstance(tracefs: Tracefs, request: MethodRequest, share = 1): TraceInstance {
  const bytesPerCpu = Math.max(65_536, request.ringBytes / share);
  return TraceInstance.create(tracefs, { bytesPerCpu, cpus: request.cpus });
}
