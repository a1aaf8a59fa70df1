/** `rxstamp trace` in a guest, and the sending of frames that it must have seen. */
import { setTimeout as sleep } from 'node:timers/promises';
import { RxError } from '../src/base/errors.js';
import { GUEST_IFACE } from './guest-setup.js';
import type { Guest } from './guest.js';
import type { Injector, Pacing, Sent } from './inject.js';
import type { Running } from './running.js';

/** Longest wait for frames to be counted, seconds. */
const PATIENCE = 20;
/** Some NICs count a frame in hardware, before its interrupt: time for the emulator to raise it, ms. */
const RAISED_MS = 150;

/**
 * Starts `rxstamp trace … --format ndjson` and returns once it records.
 * @param words interfaces, expression and options of the trace
 * @throws RXS_LAB when it ends before that, with what it said
 */
export async function startTrace(guest: Guest, words: readonly string[]): Promise<Running> {
  const running = guest.start(['node', 'dist/src/cli/main.js', 'trace', ...words, '--format', 'ndjson']);
  for await (const line of running.lines()) if (line.startsWith('{"type":"meta"')) return running;
  const { code, stderr } = await running.wait();
  throw new RxError('RXS_LAB', {
    doing: 'tracing in the guest',
    why: `rxstamp ended with code ${code} before it began: ${stderr.trim()}`,
    hint: 'run it by hand: rxstamp lab -- npx rxstamp trace eth0',
  });
}

/** Frames that an interface of the guest has received, by its own count. */
export async function framesReceived(guest: Guest, iface: string = GUEST_IFACE): Promise<number> {
  return Number(await guest.shell(`cat /sys/class/net/${iface}/statistics/rx_packets`));
}

/** Asks again until `test` holds or the time is over; returns the last answer either way. */
export async function settle<Answer>(
  ask: () => Promise<Answer>,
  test: (answer: Answer) => boolean,
  seconds = PATIENCE,
): Promise<Answer> {
  const end = performance.now() + seconds * 1000;
  for (;;) {
    const answer = await ask();
    if (test(answer) || performance.now() > end) return answer;
    await sleep(100);
  }
}

/**
 * Waits until every CPU of the guest has run a program that was started after this call: an interrupt that was
 * raised there before is served by then, and the softirq behind it, however long the host has not run that CPU.
 */
export async function everyCpuHasRun(guest: Guest): Promise<void> {
  const cpus = "sed -n 's/^processor[^0-9]*//p' /proc/cpuinfo";
  await guest.shell(`for cpu in $(${cpus}); do taskset -c $cpu true || exit 1; done`);
}

/** Where frames go in, and who counts them; the guest's first NIC unless said. */
export interface Entrance {
  readonly injector?: Injector;
  /** Interface whose count is watched. */
  readonly iface?: string;
}

/**
 * Sends frames and waits until the interface has counted all of them and they were polled.
 * @throws RXS_LAB when it does not within 20 s: the NIC dropped frames, and no tracer can have seen them
 */
export async function sendCounted(
  guest: Guest,
  frames: readonly Buffer[],
  pacing: Pacing = {},
  { injector = guest.injector, iface = GUEST_IFACE }: Entrance = {},
): Promise<Sent> {
  const before = await framesReceived(guest, iface);
  const sent = await injector.send(frames, pacing);
  const counted = await settle(
    async () => (await framesReceived(guest, iface)) - before,
    (count) => count >= sent.count,
  );
  if (counted < sent.count) {
    throw new RxError('RXS_LAB', {
      doing: 'sending frames',
      why: `${iface} counted ${counted} of ${sent.count} frames within ${PATIENCE} s`,
      hint: `look at the drops: ip -s link show ${iface}`,
    });
  }
  await sleep(RAISED_MS);
  await everyCpuHasRun(guest);
  return sent;
}
