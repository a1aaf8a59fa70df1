/**
 * `npm run bench`: rxstamp and its peers under a one-core UDP flood on this machine. `--packets`, `--rounds`, `--starts`,
 * `--output FILE`. bench/README.md says how to read it.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { EXIT, RxError } from '../../src/base/errors.js';
import { parseCount } from '../../src/base/units.js';
import { compileLoad } from '../lib/compile.js';
import { describeMachine } from '../lib/machine.js';
import { writeResult } from '../lib/results.js';
import { type Undo, withUndo } from '../lib/undo.js';
import { measureFirstStamp } from './first-stamp.js';
import { measureBpf, measureReplayOf } from './insides.js';
import { report } from './report.js';
import { runRounds } from './rounds.js';
import type { Setting } from './tracer.js';
import { TRACERS } from './tracers.js';
import { Veth } from './veth.js';

const say = (line: string): void => void process.stderr.write(`bench: ${line}\n`);

function readOptions(): { packets: number; rounds: number; starts: number; output: string | undefined } {
  try {
    const { values } = parseArgs({
      options: {
        packets: { type: 'string', default: '3000000' },
        rounds: { type: 'string', default: '5' },
        starts: { type: 'string', default: '9' },
        output: { type: 'string' },
      },
    });
    return {
      packets: parseCount(values.packets, '--packets'),
      rounds: parseCount(values.rounds, '--rounds'),
      starts: parseCount(values.starts, '--starts'),
      output: values.output,
    };
  } catch (cause) {
    if (cause instanceof RxError) throw cause;
    throw new RxError('RXS_USAGE', {
      doing: 'reading the options',
      why: cause instanceof Error ? cause.message : String(cause),
      hint: 'use: npm run bench -- [--packets N] [--rounds N] [--starts N] [--output FILE]',
    });
  }
}

async function settingOf(undo: Undo): Promise<Setting> {
  const program = compileLoad('flood');
  const last = cpus().length - 1;
  const folder = mkdtempSync(join('/dev/shm', 'rxbench-'));
  undo.add(() => rmSync(folder, { recursive: true, force: true }));
  const link = await Veth.create(undo, program, last);
  return {
    undo,
    link,
    folder: join(folder, 'out'),
    cpus: last === 0 ? '' : last === 1 ? '0' : `0-${last - 1}`,
  };
}

async function main(undo: Undo): Promise<void> {
  const options = readOptions();
  const machine = describeMachine(['perf', 'bpftrace']);
  const setting = await settingOf(undo);
  say(
    `${options.rounds} rounds of ${options.packets} packets per side, 64 bytes each; load before: ${machine.loadBefore}`,
  );
  const runs = await runRounds(setting, TRACERS, options, say);
  say('BPF statistics: on for the next flood (by a file descriptor; the kernel takes it back)');
  const programs = await measureBpf(setting, options.packets);
  say('starts of rxstamp');
  const first = await measureFirstStamp(setting, options.starts);
  say('decode and join, alone');
  const replay = await measureReplayOf(setting);
  const commands = Object.fromEntries(TRACERS.map(({ name, command }) => [name, command]));
  const result = { machine, options, commands, runs, programs, first, replay };
  process.stdout.write(`${report(result)}\n`);
  say(`written to ${writeResult('native', machine.kernel, result, options.output)}`);
}

try {
  await withUndo(main);
} catch (error) {
  if (!(error instanceof RxError)) throw error;
  process.stderr.write(`${error.toLine()}\n`);
  process.exitCode = error.exitCode ?? EXIT.failure;
}
