/** A guest for the length of a function: ended by return, exception, and signals alike. */
import { Guest } from './guest.js';
import type { GuestOptions } from './guest-options.js';

const END_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Boots a guest, hands it over, and ends it whatever happens: return, exception, or a signal to this process.
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
  const guest = new Guest(options);
  const signals = options.interrupts === 'caller' ? (['SIGTERM', 'SIGHUP'] as const) : END_SIGNALS;
  const onSignal = (signal: NodeJS.Signals): void => {
    guest.kill();
    for (const name of signals) process.off(name, onSignal);
    // Leave as if nobody had listened, unless someone else does.
    if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
  };
  const onExit = (): void => guest.kill();
  for (const name of signals) process.on(name, onSignal);
  process.on('exit', onExit);
  try {
    await guest.boot();
    return await use(guest);
  } finally {
    await guest.close();
    for (const name of signals) process.off(name, onSignal);
    process.off('exit', onExit);
  }
}
