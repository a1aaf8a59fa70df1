/** How long from starting rxstamp until the first packet is stamped, and until its line can be read. */
import { spread, type Spread } from '../../src/base/stats.js';
import { start } from '../lib/run.js';
import { rxstampArgv } from './tracers.js';
import { PROBE_BYTES, type Setting } from './tracer.js';

/** Times of all starts, milliseconds. */
export interface FirstStamp {
  readonly toStampMs: Spread;
  readonly toLineMs: Spread;
  readonly raw: readonly { readonly toStampMs: number; readonly toLineMs: number }[];
}

/** A packet every so often while rxstamp starts: the error of the measurement. */
const GAP_US = 200;
const MOST_PACKETS = 50_000;

/** One start: from just before the spawn to the first stamp (its own time) and to the first line on stdout. */
async function once(setting: Setting): Promise<{ toStampMs: number; toLineMs: number }> {
  const flood = await setting.link.startFlood({ packets: MOST_PACKETS, bytes: PROBE_BYTES, gapUs: GAP_US });
  const argv = rxstampArgv(setting, ['-c', '1', '--format', 'times']);
  const [program = '', ...args] = setting.cpus === '' ? argv : ['taskset', '-c', setting.cpus, ...argv];
  // Node's clock for this is CLOCK_MONOTONIC, as the stamps' is.
  const from = process.hrtime.bigint();
  const running = await start(setting.undo, program, args, ['ignore', 'pipe', 'pipe']);
  const line = await new Promise<{ text: string; at: bigint }>((resolve, reject) => {
    let text = '';
    running.child.stdout?.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (text.includes('\n')) resolve({ text: text.split('\n')[0] ?? '', at: process.hrtime.bigint() });
    });
    void running.ended.then(() => reject(new Error(`rxstamp gave no stamp: ${running.words().trim()}`)));
  });
  await running.ended;
  flood.stop();
  await flood.done;
  const stamp = BigInt(line.text.replace('.', ''));
  return { toStampMs: Number(stamp - from) / 1e6, toLineMs: Number(line.at - from) / 1e6 };
}

/** Starts rxstamp `times` times. */
export async function measureFirstStamp(setting: Setting, times: number): Promise<FirstStamp> {
  const raw: { toStampMs: number; toLineMs: number }[] = [];
  for (let i = 0; i < times; i++) raw.push(await once(setting));
  return {
    toStampMs: spread(raw.map((one) => one.toStampMs)),
    toLineMs: spread(raw.map((one) => one.toLineMs)),
    raw,
  };
}
