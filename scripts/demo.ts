/**
 * `npm run demo`: the main job on real packets of an emulated two-queue NIC under a stock kernel: who serves which queue,
 * the arrivals as they come, the sum, and the same packets as bare times.
 */
import { udpFlows } from '../lab/frames.js';
import type { Guest } from '../lab/guest.js';
import { startSink } from '../lab/sink.js';
import { withGuest } from '../lab/with-guest.js';
import { RxError } from '../src/base/errors.js';
import { defaultRouteInterface } from '../src/nic/resolve.js';

const CLI = ['node', 'dist/src/cli/main.js'];
const say = (text: string): void => void process.stdout.write(`${text}\n`);
const BOLD = process.stdout.isTTY ? ['\x1b[1m', '\x1b[0m'] : ['', ''];
const heading = (text: string): void => say(`\n${BOLD[0]}${text}${BOLD[1]}`);
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function showChain(guest: Guest): Promise<void> {
  heading('$ rxstamp irqs eth0        which queue is which IRQ, vector, CPU and handler');
  process.stdout.write((await guest.run([...CLI, 'irqs', 'eth0', '--interval', '0'])).stdout);
}

async function showArrivals(guest: Guest): Promise<string[]> {
  heading(
    '$ rxstamp trace eth0 --until read        every packet, from the interrupt to the program that reads it',
  );
  const sink = await startSink(guest);
  const trace = guest.start([...CLI, 'trace', 'eth0', '--until', 'read'], {
    onStdout: (chunk) => process.stdout.write(chunk),
    onStderr: (chunk) => process.stderr.write(chunk),
  });
  for await (const line of trace.lines()) if (/^\s*#\s+arrival/.test(line)) break;
  // One at a time, then three at once: their own interrupts, then a batch.
  await guest.injector.send(udpFlows({ count: 8, flows: 8 }), { gapUs: 40_000 });
  await guest.injector.send(udpFlows({ count: 6, flows: 6 }), { burst: 3, gapUs: 60_000 });
  await guest.injector.send(udpFlows({ count: 4, flows: 4, version: 6 }), { gapUs: 40_000 });
  await pause(1500);
  trace.kill('SIGINT');
  const { code, stdout } = await trace.wait();
  await sink.stop();
  if (code !== 0) throw new Error(`trace ended with exit code ${code}`);
  return [...stdout.matchAll(/^\s*t\d+ (\d+\.\d{9})/gm)].map((match) => match[1] ?? '');
}

async function main(): Promise<void> {
  process.stderr.write(
    'demo: starting a guest (stock Debian kernel, igb with two queues, software emulation)\n',
  );
  const started = performance.now();
  await withGuest({ kernel: '6.12', nic: 'igb,queues=2', cpus: 2 }, async (guest) => {
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    say(`guest: Linux ${guest.release}, ${guest.cpus} CPUs, igb with two queues, up after ${seconds} s`);
    await showChain(guest);
    const times = await showArrivals(guest);
    heading('the same packets, bare: the arrival column is what `rxstamp trace --format times` prints');
    say(times.join('\n'));
  });
  let own = 'eth0';
  try {
    own = defaultRouteInterface();
  } catch {
    // A machine without a default route still gets the line.
  }
  heading('now a NIC of this machine:');
  say(`sudo npx rxstamp trace ${own}`);
}

try {
  await main();
} catch (error) {
  process.stderr.write(`${error instanceof RxError ? error.toLine() : `demo: ${String(error)}`}\n`);
  process.exitCode = 1;
}
