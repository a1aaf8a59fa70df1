/** rxstamp's parts, each alone: its BPF programs by the kernel's own count, and the reader's decoding. */
import { join } from 'node:path';
import { packageRoot } from '../../src/sys/package.js';
import { start } from '../lib/run.js';
import type { Spread } from '../../src/base/stats.js';
import { type ProgramCost, enableStatistics, programCosts } from './program-cost.js';
import { FLOOD_BYTES, type Setting } from './tracer.js';
import { TRACERS, emptyFolder } from './tracers.js';

/** Programs of one rxstamp command under the flood. */
export interface BpfCost {
  readonly side: string;
  readonly sent: number;
  readonly programs: readonly ProgramCost[];
}

/** One flood per rxstamp side with BPF statistics on. */
export async function measureBpf(setting: Setting, packets: number): Promise<BpfCost[]> {
  const costs: BpfCost[] = [];
  const off = enableStatistics(setting.undo);
  try {
    for (const tracer of TRACERS.filter(({ name }) => name.startsWith('rxstamp'))) {
      emptyFolder(setting.folder);
      const listening = await tracer.listen(setting);
      const { sent } = await setting.link.flood({ packets, bytes: FLOOD_BYTES });
      costs.push({ side: tracer.name, sent, programs: programCosts(listening.pid) });
      await listening.stop();
    }
  } finally {
    off();
  }
  return costs;
}

/** Cost of decoding and joining, nanoseconds per packet. */
export interface ReplayCost {
  readonly records: number;
  readonly bytesPerRecord: number;
  readonly noPolls: Spread;
  readonly pollsOf1: Spread;
  readonly pollsOf8: Spread;
}

const TAPE_PACKETS = 30_000;

/** Records a short flood and replays it in a process of its own, on the tracers' CPUs. */
export async function measureReplayOf(setting: Setting): Promise<ReplayCost> {
  const program = join(packageRoot, 'dist/bench/native/replay-main.js');
  const argv = ['ip', 'netns', 'exec', setting.link.namespace, process.execPath, program, setting.link.name];
  const [command = '', ...args] = setting.cpus === '' ? argv : ['taskset', '-c', setting.cpus, ...argv];
  const running = await start(setting.undo, command, args, ['pipe', 'pipe', 'pipe']);
  let text = '';
  const ready = new Promise<void>((resolve, reject) => {
    running.child.stdout?.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (text.includes('ready\n')) resolve();
    });
    void running.ended.then(() => reject(new Error(`replay: ${running.words().trim()}`)));
  });
  await ready;
  await setting.link.flood({ packets: TAPE_PACKETS, bytes: FLOOD_BYTES });
  running.child.stdin?.end();
  await running.ended;
  return JSON.parse(text.trim().split('\n').at(-1) ?? '') as ReplayCost;
}
