/** The NIC's own stamps in a trace: read where they are on, turned on where that was asked for. */
import { RxError } from '../../base/errors.js';
import { spanText } from '../../base/time.js';
import type { HardwareOptions } from '../../method/hardware.js';
import { type Stamping, StampSwitch, stampingOf } from '../../nic/hardware-stamps.js';
import type { Nic } from '../../nic/nic.js';
import { FILTER_ALL, FILTER_NONE, filterFrames } from '../../nic/rx-filters.js';
import { PtpClock } from '../../sys/ptp.js';

/** A clock that does not keep time at all is told so often. */
export const MOST_NOTES = 3;

/** What standard error says when the NIC's clock has moved against ours. */
export function clockSetText(step: number): string {
  const way = step > 0 ? 'ahead' : 'back';
  return `the NIC's clock moved ${way} by ${spanText(Math.abs(step))} during the trace (set, or not keeping time): packets stamped about then are shown without it\n`;
}

/** The NIC's stamps for the time of one trace. */
export interface TraceHardware {
  /** What the session needs; undefined: the NIC stamps nothing. */
  readonly options: HardwareOptions | undefined;
  /** A signal came since the NIC was changed and before the trace listens to signals itself. */
  stopped(): boolean;
  /** Closes the clock and undoes what was changed. */
  close(): void;
}

const NOTHING: TraceHardware = { options: undefined, stopped: () => false, close: () => {} };

const say = (line: string): void => void process.stderr.write(`${line}\n`);

function refused(nics: readonly Nic[], why: string): RxError {
  return new RxError('RXS_NO_HW_STAMPS', {
    doing: 'turning on receive timestamps of',
    subject: nics.map((nic) => nic.name).join(', '),
    why,
    hint: 'leave --hw-timestamps out: the earliest stamp is then the interrupt’s; rxstamp doctor says what the NIC offers',
  });
}

const frames = (filter: number): string => `${filterFrames(filter)}${filter === FILTER_ALL ? '' : ' only'}`;

type Reading = HardwareOptions & { readonly clock: PtpClock | undefined };

/** What is read, and how well; or why not. */
function reading(stamping: Stamping): Reading {
  const off = (why: string): Reading => ({
    way: { hook: undefined, reasons: [why] },
    clock: undefined,
  });
  const { current, widest, phc } = stamping;
  if (!current.known) return off(current.why);
  const { rxFilter } = current.value;
  if (rxFilter === FILTER_NONE) {
    return off(
      `off; the NIC can stamp ${frames(widest)}: --hw-timestamps turns that on for the time of the trace`,
    );
  }
  const clock = PtpClock.open(phc);
  if (!clock.known) return off(clock.why);
  const { method } = clock.value;
  const error = clock.value.crossTimestamp()?.error;
  const known = error === undefined ? '' : `, known to ±${spanText(error)}`;
  const hook = `the NIC stamps ${frames(rxFilter)}; its clock /dev/ptp${phc} by ${method}${known}`;
  return { way: { hook, reasons: [] }, clock: clock.value };
}

/**
 * Gets the NIC's stamps ready; first of all puts back what a killed run has left changed.
 * @param wanted `--hw-timestamps` was given
 * @throws RxError RXS_NO_HW_STAMPS, RXS_HW_IN_USE, RXS_NO_PRIVILEGE, RXS_STATE
 */
export async function openHardware(nics: readonly Nic[], wanted: boolean): Promise<TraceHardware> {
  const switches = new StampSwitch();
  await switches.recover(say).catch((error: unknown) => {
    // A trace without the right to change a NIC is none the worse for it.
    if (!(error instanceof RxError)) throw error;
    say(`${error.message}. It was left changed by a run that was killed; hint: ${error.hint}`);
  });
  const [nic, ...more] = nics;
  if (nic === undefined || more.length > 0) {
    if (wanted) throw refused(nics, 'several interfaces have several clocks: trace one');
    return NOTHING;
  }
  const stamping = nic.driver === undefined ? undefined : stampingOf(nic.name);
  if (stamping === undefined || !stamping.known) {
    if (wanted) throw refused(nics, stamping?.why ?? 'it is no NIC: no device stamps what it receives');
    return NOTHING;
  }
  let stopped = false;
  if (wanted) {
    // From here on a signal must not end the process before the NIC is put back.
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => (stopped = true));
  }
  const undo = wanted ? await switches.turnOn(nic.name, stamping.value, say) : (): void => {};
  try {
    const now = wanted ? stampingOf(nic.name) : stamping;
    const options = now.known ? reading(now.value) : undefined;
    if (wanted && options?.clock === undefined)
      throw refused(nics, options?.way.reasons.join('; ') ?? 'it is gone');
    const close = (): void => {
      options?.clock?.close();
      undo();
    };
    return { options, stopped: () => stopped, close };
  } catch (error) {
    undo();
    throw error;
  }
}
