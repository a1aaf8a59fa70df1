/** `rxstamp compare` in a guest, under traffic to both queues of its NIC for as long as it runs. */
import { RxError } from '../../src/base/errors.js';
import type { CompareReport } from '../../src/compare/report.js';
import { SINK_PORT, SPREAD_FLOWS, spreadPort, udpFrame } from '../frames.js';
import { GUEST_IFACE } from '../guest-setup.js';
import type { Guest } from '../guest.js';
import { buildModule } from '../module-build.js';

/** One frame in this time: slow enough that each has its own interrupt. */
const GAP_US = 2000;
/** Frames handed over in one call. */
const ROUND = 5000;
/** Rounds at most: a quarter of an hour. */
const ROUNDS = 90;
/** UDP payload, bytes. */
const SIZE = 46;
/** The project's module at interrupt entry: what stands for a patched kernel. */
const MODULE = { sources: 'examples/printk-module', name: 'irq_printk' } as const;

/** Its number comes first: packets are matched by their first bytes, of which no two of a round may have the same. */
function numbered(index: number): Buffer {
  const payload = Buffer.alloc(SIZE);
  payload.writeUInt32BE(index);
  return payload;
}

const frames = (): Buffer[] =>
  Array.from({ length: ROUND }, (_, index) =>
    udpFrame({
      sourcePort: spreadPort(index % SPREAD_FLOWS),
      port: SINK_PORT,
      payload: numbered(index),
    }),
  );

/** Builds the module for a kernel; returns its path, the same in the guest. */
export function buildPrintk(kernel: string): Promise<string> {
  return buildModule(kernel, MODULE.sources, MODULE.name);
}

/** Loads it for all interrupts of the guest's NIC. */
export async function loadPrintk(guest: Guest, module: string): Promise<void> {
  const { stdout } = await guest.run([
    'node',
    'dist/src/cli/main.js',
    'irqs',
    GUEST_IFACE,
    '--json',
    '--interval',
    '0',
  ]);
  const irqs = [...stdout.matchAll(/"irq": (\d+)/g)].map(([, irq]) => irq);
  await guest.shell(`/run/rxlab/busybox insmod ${module} irq=${irqs.join(',')} detail=1`);
}

async function sendUntil(guest: Guest, signal: AbortSignal): Promise<void> {
  const round = frames();
  for (let i = 0; i < ROUNDS && !signal.aborted; i++)
    await guest.injector.send(round, { gapUs: GAP_US, signal });
}

/**
 * Runs `rxstamp compare … --json` in a guest, with frames coming in until it ends.
 * @throws RXS_LAB when it fails
 */
export async function compareUnderLoad(guest: Guest, words: readonly string[]): Promise<CompareReport> {
  const over = new AbortController();
  const argv = ['node', 'dist/src/cli/main.js', 'compare', GUEST_IFACE, '--json', ...words];
  const running = guest.start(argv, { onStderr: (text) => process.stderr.write(text) });
  const sending = sendUntil(guest, over.signal);
  // When the guest goes, both fail: what the command's end tells is the better story.
  sending.catch(() => undefined);
  const { code, stdout, stderr } = await running.wait();
  over.abort();
  await sending;
  if (code === 0) return JSON.parse(stdout) as CompareReport;
  throw new RxError('RXS_LAB', {
    doing: 'comparing methods in the guest',
    why: `rxstamp compare ended with code ${code}: ${stderr.trim()}`,
    hint: 'run it by hand: rxstamp lab --inject udp,count=10000,gap=2ms -- npx rxstamp compare eth0',
  });
}
