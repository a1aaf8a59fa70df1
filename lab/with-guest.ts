/** A guest for the length of a function: ended by return, exception, and signals alike. */
import { Guest } from './guest.js';
import type { GuestOptions } from './guest-options.js';

const END_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** A booted guest and the one way to end it. */
export interface OpenGuest {
  readonly guest: Guest;
  /** Powers the guest off and stops watching for signals. Safe to call twice. */
  readonly close: () => Promise<void>;
}

/** Boots a guest that also ends when this process gets a signal or leaves. Prefer {@link withGuest}. */
export async function openGuest(options: GuestOptions): Promise<OpenGuest> {
  const guest = new Guest(options);
  let booted = false;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (signal === 'SIGINT' && booted && options.interrupts === 'caller') return;
    guest.kill();
    for (const name of END_SIGNALS) process.off(name, onSignal);
    // Leave as if nobody had listened, unless someone else does.
    if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
  };
  const onExit = (): void => guest.kill();
  for (const name of END_SIGNALS) process.on(name, onSignal);
  process.on('exit', onExit);
  const close = async (): Promise<void> => {
    await guest.close();
    for (const name of END_SIGNALS) process.off(name, onSignal);
    process.off('exit', onExit);
  };
  try {
    await guest.boot();
    booted = true;
  } catch (error) {
    await close();
    throw error;
  }
  return { guest, close };
}

/**
 * Boots a guest, hands it over, and ends it whatever happens: return, exception, or a signal to this process.
 * @throws RXS_LAB, RXS_LAB_NO_KERNEL, RXS_LAB_NO_NIC, RXS_NEEDS_PROGRAM, and what `use` throws
 * @example
 * await withGuest({ nic: 'igb,queues=2' }, async (guest) => {
 *   await guest.injector.send(udpFlows({ count: 10 }));
 *   return (await guest.run(['ethtool', '-S', 'eth0'])).stdout;
 * });
 */
export async function withGuest<Result>(
  options: GuestOptions,
  use: (guest: Guest) => Promise<Result>,
): Promise<Result> {
  const { guest, close } = await openGuest(options);
  try {
    return await use(guest);
  } finally {
    await close();
  }
}
