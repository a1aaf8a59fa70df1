/**
 * The tracers in the comparison, each at its best: output in memory, large buffers, an interface filter in the kernel.
 * All stamp the same tracepoint, net:netif_rx_entry, and give a time per packet.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { packageRoot } from '../../src/sys/package.js';
import { start, tryRun } from '../lib/run.js';
import {
  FLOOD_SKB_BYTES,
  type Listening,
  type Setting,
  type Tracer,
  countLines,
  outputSize,
  outputText,
  probeUntil,
  rest,
  startOnFile,
} from './tracer.js';

const OUT = 'output';
/** Pages per CPU for perf: 32 MiB, of which it lost nothing here; with its default it does. */
const PERF_PAGES = '8192';
/** bpftrace's output is block-buffered: so many lines make a first block. */
const BPFTRACE_PROBES = 400;

const lastLine = (text: string): string => text.trim().split('\n').at(-1) ?? '';

/** The real command line, in the receiver's namespace. */
export function rxstampArgv(setting: Setting, args: readonly string[]): string[] {
  const program = join(packageRoot, 'dist/src/cli/main.js');
  return [
    'ip',
    'netns',
    'exec',
    setting.link.namespace,
    process.execPath,
    program,
    'trace',
    setting.link.name,
    ...args,
  ];
}

function rxstamp(name: string, args: readonly string[]): Tracer {
  return {
    name,
    command: `rxstamp trace IFACE ${args.join(' ')} > FILE`,
    needs: 'ip',
    share: 1,
    listen: async (setting) => {
      const running = await startOnFile(setting, rxstampArgv(setting, args), OUT);
      await probeUntil(setting, running, OUT, () => outputSize(setting, OUT) > 0, 1);
      const before = countLines(setting, OUT);
      return {
        pid: running.pid,
        stop: async () => {
          await rest(setting, OUT, 30);
          running.child.kill('SIGINT');
          const exitCode = await running.ended;
          return {
            seen: countLines(setting, OUT) - before,
            says: running.words().trim().replaceAll('\n', ' · '),
            exitCode,
            bytes: outputSize(setting, OUT),
          };
        },
      };
    },
  };
}

async function listenPerf(setting: Setting): Promise<Listening> {
  const data = join(setting.folder, OUT);
  const filter = `name=="${setting.link.name}"`;
  const events = ['-e', 'net:netif_rx_entry', '--filter', filter];
  const speed = ['-a', '-m', PERF_PAGES, '-N', '-B', '-D', '-1', '--control', 'fd:3,4', '-o', data];
  const argv = ['perf', 'record', ...events, ...speed];
  const [program = '', ...args] = setting.cpus === '' ? argv : ['taskset', '-c', setting.cpus, ...argv];
  const running = await start(setting.undo, program, args, ['ignore', 'ignore', 'pipe', 'pipe', 'pipe']);
  const control = running.child.stdio[3] as Writable;
  const answers = running.child.stdio[4] as Readable;
  const answered = new Promise<void>((resolve, reject) => {
    answers.once('data', () => resolve());
    void running.ended.then(() => reject(new Error(`it never listened: ${lastLine(running.words())}`)));
  });
  control.write('enable\n');
  await answered;
  return {
    pid: running.pid,
    stop: async () => {
      running.child.kill('SIGINT');
      const exitCode = await running.ended;
      const report = tryRun('perf', ['report', '--stats', '-i', data]).stdout;
      const number = (word: string): number =>
        Number(new RegExp(`${word} events:\\s+(\\d+)`).exec(report)?.[1] ?? 0);
      const lost = number('LOST') + number('LOST_SAMPLES');
      return {
        seen: number('SAMPLE'),
        says: lost > 0 ? `${lost} records of loss` : 'no records of loss',
        // 130: it ends itself by the SIGINT that stops it.
        exitCode: exitCode === 128 || exitCode === 130 ? 0 : exitCode,
        bytes: outputSize(setting, OUT),
      };
    },
  };
}

async function listenBpftrace(setting: Setting): Promise<Listening> {
  const program = `tracepoint:net:netif_rx_entry /str(args->name) == "${setting.link.name}"/ { printf("%llu %u\\n", nsecs, args->len); }`;
  const pages = 'BPFTRACE_PERF_RB_PAGES=8192';
  const running = await startOnFile(setting, ['env', pages, 'bpftrace', '-B', 'full', '-e', program], OUT);
  const started = (): boolean => outputSize(setting, OUT) > 100;
  await probeUntil(setting, running, OUT, started, BPFTRACE_PROBES);
  return {
    pid: running.pid,
    stop: async () => {
      await rest(setting, OUT, 30);
      running.child.kill('SIGINT');
      const exitCode = await running.ended;
      const lost = tryRun('sh', [
        '-c',
        `grep -h '^Lost' "$1" | awk '{s+=$2} END {print s+0}'`,
        'sh',
        join(setting.folder, OUT),
      ]);
      return {
        seen: countLines(setting, OUT, `^[0-9]* ${FLOOD_SKB_BYTES}$`),
        says: `${lost.stdout.trim()} lost`,
        exitCode,
        bytes: outputSize(setting, OUT),
      };
    },
  };
}

/** All tracers, ours first. */
export const TRACERS: readonly Tracer[] = [
  rxstamp('rxstamp', ['--format', 'times']),
  rxstamp('rxstamp --until stack', ['--until', 'stack', '--format', 'times']),
  {
    name: 'perf record',
    command: `perf record -e net:netif_rx_entry --filter 'name=="IFACE"' -a -m ${PERF_PAGES} -N -B -o FILE`,
    needs: 'perf',
    share: 1,
    listen: listenPerf,
  },
  {
    name: 'bpftrace printf',
    command:
      'BPFTRACE_PERF_RB_PAGES=8192 bpftrace -B full -e \'tracepoint:net:netif_rx_entry /str(args->name) == "IFACE"/ { printf("%llu %u\\n", nsecs, args->len); }\' > FILE',
    needs: 'bpftrace',
    share: 0.1,
    listen: listenBpftrace,
  },
];

/** Empties the folder between sides. */
export function emptyFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
}

export { outputText };
