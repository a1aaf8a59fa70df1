/**
 * `npm run bench:counted`: what rxstamp and its peers add to the receive path, in instructions, in a guest whose clock
 * counts them. `--rounds`, `--live`, `--only WORDS`, `--kernel`, `--output FILE`. bench/README.md says how to read it.
 */
import { parseArgs } from 'node:util';
import type { Guest } from '../../lab/guest.js';
import { withGuest } from '../../lab/with-guest.js';
import { RxError } from '../../src/base/errors.js';
import { parseCount } from '../../src/base/units.js';
import { compileLoad } from '../lib/compile.js';
import { describeMachine } from '../lib/machine.js';
import { writeResult } from '../lib/results.js';
import { installed } from '../lib/run.js';
import { type LoadSize, SETUP, findNumbers, sideScript, untracedScript } from './guest-script.js';
import { type SideRun, parseRun } from './parse.js';
import { type CountedResult, type SideResult, report, sideCosts } from './report.js';
import { type CountedSide, type GuestNumbers, KPROBES, SIDES } from './sides.js';

/** A side is measured twice in two processes; the second time also with its reader running. */
const RUNS = 2;
const BURST = 8;
const SPINS = 40;
const LIFE_SECONDS = 1500;
const MEMORY_MIB = 3072;

const say = (line: string): void => void process.stderr.write(`bench: ${line}\n`);

interface Options {
  readonly size: LoadSize;
  readonly kernel: string;
  readonly sides: readonly CountedSide[];
  readonly output: string | undefined;
}

function readOptions(): Options {
  try {
    const { values } = parseArgs({
      options: {
        rounds: { type: 'string', default: '300' },
        live: { type: 'string', default: '10000' },
        only: { type: 'string', default: '' },
        kernel: { type: 'string', default: '6.12' },
        output: { type: 'string' },
      },
    });
    return {
      size: {
        rounds: parseCount(values.rounds, '--rounds'),
        live: parseCount(values.live, '--live'),
        burst: BURST,
        spins: SPINS,
      },
      kernel: values.kernel,
      sides: SIDES.filter(({ level, name }) => `${level} ${name}`.includes(values.only)),
      output: values.output,
    };
  } catch (cause) {
    if (cause instanceof RxError) throw cause;
    throw new RxError('RXS_USAGE', {
      doing: 'reading the options',
      why: cause instanceof Error ? cause.message : String(cause),
      hint: 'use: npm run bench:counted -- [--rounds N] [--live N] [--only WORDS] [--kernel NAME] [--output FILE]',
    });
  }
}

async function numbersOf(guest: Guest): Promise<GuestNumbers> {
  const text = await guest.shell(findNumbers(KPROBES));
  const number = (word: string): number => Number(new RegExp(`^${word} (\\d+)$`, 'm').exec(text)?.[1]);
  const numbers = { irq: number('irq'), vector: number('vector') };
  if (Number.isInteger(numbers.irq) && Number.isInteger(numbers.vector)) return numbers;
  throw new RxError('RXS_LAB', {
    doing: 'finding the receive interrupt of the guest',
    why: `it said: ${text.trim()}`,
    hint: 'this bench needs the igb NIC and a kernel from 6.1 on',
  });
}

async function untracedRun(guest: Guest, size: LoadSize): Promise<SideRun> {
  const run = parseRun((await guest.run(['sh', '-c', untracedScript(size)])).stdout);
  if (typeof run !== 'string') return run;
  throw new RxError('RXS_LAB', {
    doing: 'running the load in the guest',
    why: run,
    hint: 'boot it by hand: rxstamp lab --icount --append iomem=relaxed -- dist/bench/load/loop eth0 100 1 1',
  });
}

async function sideRun(
  guest: Guest,
  side: CountedSide,
  numbers: GuestNumbers,
  size: LoadSize,
  live: boolean,
): Promise<SideRun | string> {
  if (!installed(side.needs)) return `${side.needs} is not installed`;
  const done = await guest.run(['sh', '-c', sideScript(side, numbers, size, live)]);
  const run = parseRun(done.stdout);
  const stray = done.stderr.trim();
  if (stray !== '') say(`${side.level}, ${side.name}: the guest's shell said: ${stray.split('\n')[0] ?? ''}`);
  return run;
}

async function measure(guest: Guest, options: Options): Promise<Pick<CountedResult, 'untraced' | 'sides'>> {
  const { size } = options;
  await guest.shell(SETUP);
  const numbers = await numbersOf(guest);
  const untraced: SideRun[] = [];
  const runs = new Map<CountedSide, (SideRun | string)[]>();
  for (let run = 1; run <= RUNS; run++) {
    untraced.push(await untracedRun(guest, size));
    for (const side of options.sides) {
      const from = performance.now();
      const result = await sideRun(guest, side, numbers, size, run === RUNS);
      runs.set(side, [...(runs.get(side) ?? []), result]);
      const [cost] = sideCosts({ side, runs: [result] }, untraced.slice(-1), size.burst);
      const words =
        typeof result === 'string' ? `not measured: ${result}` : `+${Math.round(cost?.packetWithIrq ?? 0)}`;
      say(
        `run ${run}/${RUNS}, ${side.level}, ${side.name}: ${words} (${((performance.now() - from) / 1000).toFixed(0)} s)`,
      );
    }
  }
  const sides: SideResult[] = [...runs].map(([side, list]) => ({ side, runs: list }));
  return { untraced, sides };
}

async function main(): Promise<void> {
  const options = readOptions();
  const { size, kernel } = options;
  const machine = describeMachine(['perf', 'bpftrace', 'trace-cmd']);
  compileLoad('loop');
  const guestOptions = {
    kernel,
    nic: 'igb',
    icount: true,
    memory: MEMORY_MIB,
    append: 'iomem=relaxed',
    lifeTime: LIFE_SECONDS,
    say,
  };
  const [release, measured] = await withGuest(
    guestOptions,
    async (guest) => [guest.release, await measure(guest, options)] as const,
  );
  const guest = `Linux ${release} in QEMU, igb, 1 CPU, 1 ns per instruction`;
  const result: CountedResult = { machine, guest, size, ...measured };
  process.stdout.write(`${report(result)}\n`);
  const commands = Object.fromEntries(
    options.sides.map((side) => [`${side.level}: ${side.name}`, side.command({ irq: 31, vector: 44 })]),
  );
  if (options.output === undefined && options.sides.length < SIDES.length) {
    say('not all sides: written nowhere without --output');
    return;
  }
  say(`written to ${writeResult('counted', release, { ...result, commands }, options.output)}`);
}

try {
  await main();
} catch (error) {
  if (!(error instanceof RxError)) throw error;
  process.stderr.write(`${error.toLine()}\n`);
  process.exitCode = error.exitCode;
}
