/**
 * Every command line of `rxstamp explain` is run in a guest beside a trace: it must show the same interrupts, as many and
 * at the same times. Those that share nothing run all at once; perf-tools share the trace buffer, so they take turns.
 */
import { beforeAll, expect, it } from 'vitest';
import { SINK_PORT, SPREAD_FLOWS, sequencePayload, spreadPort, udpFrame } from '../../../lab/frames.js';
import type { Guest } from '../../../lab/guest.js';
import type { Finished, Running } from '../../../lab/running.js';
import { sendCounted, settle } from '../../../lab/trace-in-guest.js';
import type { Tool } from '../../../src/explain/commands.js';
import type { ExplainDocument } from '../../../src/explain/text.js';
import { quietSymbols } from './recorder.js';

type Line = ExplainDocument['equivalents'][number];

const CLI = ['node', 'dist/src/cli/main.js'];
const FRAMES = 40;
/** Turns of a third of a second or more, in which the tools must have started. */
const READY_TURNS = 300;
/** The hooks of all tools run one behind the other, in an emulator. */
const APART_NS = 20_000_000;
/** How often frames are sent, at most, until there were enough interrupts. */
const ROUNDS = 20;
/** How long a tool may take to print what it has seen, seconds. */
const PRINTED = 60;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Something that happened on a CPU. */
interface Moment {
  /** CLOCK_MONOTONIC, ns. */
  readonly time: number;
  readonly cpu: number;
}

/** Each line that a tool printed, in the order of time. */
function momentsIn(tool: Tool, text: string): Moment[] {
  const line =
    tool === 'bpftrace' ? /^irq .* cpu (\d+) time (\d+)$/gm : /^[^#\n]*?\[(\d+)\].*?\s(\d+)\.(\d+):\s/gm;
  return [...text.matchAll(line)]
    .map(([, cpu, whole, fraction]) => ({
      time: fraction === undefined ? Number(whole) : Number(whole) * 1e9 + Number(fraction.padEnd(9, '0')),
      cpu: Number(cpu),
    }))
    .sort((a, b) => a.time - b.time);
}

/** Text may round down by a microsecond. */
const ROUNDED_NS = 1000;

/**
 * Which of a tool's moments is of which interrupt: it lies behind the interrupt's entry, and before the same CPU enters the
 * next one, however long that is held back in between.
 * @param entries in the order of time
 * @returns the entries without a moment, the moments of no entry, and how far behind their entries the others are
 */
function matched(
  entries: readonly Moment[],
  moments: readonly Moment[],
): { missing: Set<Moment>; extra: Moment[]; apart: number[] } {
  const missing = new Set(entries);
  const extra: Moment[] = [];
  const apart: number[] = [];
  const entered = new Map<number, Moment>();
  let at = 0;
  for (const moment of moments) {
    for (; at < entries.length && (entries[at] as Moment).time <= moment.time + ROUNDED_NS; at++)
      entered.set((entries[at] as Moment).cpu, entries[at] as Moment);
    const entry = entered.get(moment.cpu);
    if (entry === undefined || !missing.delete(entry)) extra.push(moment);
    else apart.push(Math.abs(moment.time - entry.time));
  }
  return { missing, extra, apart };
}

/**
 * What trace-cmd and perf are to run: it begins when everything is set up, and its end is the end of the recording. A
 * signal finds trace-cmd, or the recorders that are its children, in the middle of something now and then, and the file
 * stays empty.
 */
const ownCommand = ({ tool }: Line, index: number): string | undefined =>
  tool === 'trace-cmd' || tool === 'perf' ? `sleep 86400.${index}` : undefined;

/** The interrupts that a trace has printed so far. */
function entriesIn(text: string): Moment[] {
  return text
    .split('\n')
    .slice(0, -1)
    .filter((line) => line.startsWith('{"type":"interrupt"'))
    .map((line) => JSON.parse(line) as { time: string; cpu: number })
    .map(({ time, cpu }) => ({ time: Number(time), cpu }))
    .sort((a, b) => a.time - b.time);
}

/** Checks of `explain` on eth0 of a guest that was booted before. */
export function explainChecks(guest: Guest, kernel: string): void {
  let document: ExplainDocument;
  let trace: Running;
  /** What could not be taken away. */
  const left: string[] = [];
  const outputs = new Map<string, { text: string; stderr: string; from: number; to: number }>();

  const frames = (count: number): Buffer[] =>
    Array.from({ length: count }, (_, index) =>
      udpFrame({
        sourcePort: spreadPort(index % SPREAD_FLOWS),
        port: SINK_PORT,
        payload: sequencePayload(index, 64),
      }),
    );
  const uptime = async (): Promise<number> =>
    Number((await guest.shell('cat /proc/uptime')).split(' ')[0]) * 1e9;
  const script = (lines: readonly string[]): string => lines.join('\n');

  /** Ends command lines: those that have a command of their own behind all others, one by one. */
  async function endAll(lines: readonly Line[], started: readonly Running[]): Promise<Finished[]> {
    const pairs = started.map((one, index) => ({ one, own: ownCommand(lines[index] as Line, index) }));
    const others = pairs.filter(({ own }) => own === undefined);
    for (const { one } of others) one.kill('SIGINT');
    await Promise.all(others.map(({ one }) => one.wait()));
    for (const { one, own } of pairs) {
      if (own === undefined) continue;
      await quietSymbols(guest);
      await guest.shell(`pkill -xf '${own}' || true`);
      await one.wait();
    }
    return Promise.all(started.map((one) => one.wait()));
  }

  /** Runs command lines side by side under the same frames. */
  async function run(lines: readonly Line[]): Promise<void> {
    const started = lines.map((line, index) => {
      const command = [line.run, ownCommand(line, index) ?? ''].join(' ');
      return guest.start(['sh', '-c', script(['set -e', ...line.prepare, `exec ${command}`])]);
    });
    // Those that print are ready when they do, the others when their own command runs.
    const printed = (index: number): Moment[] =>
      momentsIn((lines[index] as Line).tool, (started[index] as Running).soFar.stdout);
    const ready = (index: number, commands: readonly string[]): boolean => {
      const own = ownCommand(lines[index] as Line, index);
      return own === undefined ? printed(index).length > 0 : commands.includes(own);
    };
    for (let i = 0; i < READY_TURNS; i++) {
      await guest.injector.send(frames(SPREAD_FLOWS));
      const commands = (await guest.shell('ps -eo args')).split('\n');
      if (started.every((one, index) => one.over || ready(index, commands))) break;
      await pause(300);
    }
    const from = await uptime();
    const since = (): Moment[] => entriesIn(trace.soFar.stdout).filter(({ time }) => time >= from);
    // How many interrupts frames make is a matter of chance: a CPU that is held back takes all that came by one.
    for (let round = 0; round < ROUNDS && since().length < FRAMES; round++)
      await sendCounted(guest, frames(FRAMES), { burst: 1, gapUs: 20_000 });
    await settle(
      async () => since().length,
      (count) => count >= FRAMES,
    );
    const to = since().at(-1)?.time ?? 0;
    // What bpftrace has not printed when it is told to end it forgets, and it prints a CPU's events behind another's.
    const live = started.flatMap((one, index) =>
      ownCommand(lines[index] as Line, index) === undefined && !one.over ? [index] : [],
    );
    const missing = (index: number): Moment[] => {
      const entries = entriesIn(trace.soFar.stdout);
      return [...matched(entries, printed(index)).missing].filter(({ time }) => time >= from && time <= to);
    };
    await settle(async () => live.every((index) => missing(index).length === 0), Boolean, PRINTED);
    const done = await endAll(lines, started);
    for (const [index, line] of lines.entries()) {
      const { stdout, stderr } = done[index] as Finished;
      const read = line.read.length === 0 ? undefined : await guest.run(['sh', '-c', script(line.read)]);
      const said = [stderr, read?.stderr ?? ''].join('\n');
      outputs.set(line.id, { text: read?.stdout ?? stdout, stderr: said, from, to });
      const undone = await guest.run(['sh', '-c', script(['set -e', ...line.undo])]);
      if (undone.code !== 0) left.push(`${line.id}: ${undone.stderr}`);
    }
  }

  beforeAll(async () => {
    const asked = await guest.run([...CLI, 'explain', 'eth0', '--interrupts', '--json']);
    if (asked.code !== 0) throw new Error(asked.stderr);
    document = JSON.parse(asked.stdout) as ExplainDocument;
    trace = guest.start([...CLI, 'trace', 'eth0', '--interrupts', '--format', 'ndjson']);
    for await (const line of trace.lines()) if (line.startsWith('{"type":"meta"')) break;
    const alone = document.equivalents.filter(({ tool }) => tool === 'perf-tools');
    await run(document.equivalents.filter(({ tool }) => tool !== 'perf-tools'));
    for (const line of alone) await run([line]);
    trace.kill('SIGINT');
  });

  it('has lines of every tool, all of them installed', () => {
    const tools = new Set(document.equivalents.map(({ tool }) => tool));
    expect([...tools].sort()).toEqual(['bpftrace', 'perf', 'perf-tools', 'trace-cmd', 'tracefs']);
    expect(document.equivalents.filter(({ installed }) => !installed)).toEqual([]);
    expect(new Set(document.equivalents.map(({ id }) => id)).size).toBe(document.equivalents.length);
  });

  it('hooks what it says that it would', async () => {
    const { stdout } = await trace.wait();
    const [meta = ''] = stdout.split('\n', 1);
    const { ways } = JSON.parse(meta) as { ways: { stage: string; hook?: string }[] };
    const said = document.stages.map(({ stage, hook }) => [stage, hook ?? undefined]);
    expect(said).toEqual(ways.map(({ stage, hook }) => [stage, hook]));
  });

  it('has command lines that each give the same interrupts', async () => {
    const { stdout } = await trace.wait();
    const entries = entriesIn(stdout);
    const results = document.equivalents.map(({ id, tool, exact }) => {
      const { text, stderr, from, to } = outputs.get(id) ?? { text: '', stderr: 'not run', from: 0, to: 0 };
      const within = ({ time }: Moment): boolean => time >= from && time <= to;
      const moments = momentsIn(tool, text);
      const { missing, extra, apart } = matched(entries, moments);
      const ours = entries.filter(within);
      const missed = ours.filter((entry) => missing.has(entry));
      // What shows other interrupts too may have more.
      const others = exact ? extra.filter(within).length : 0;
      const usual = apart.sort((a, b) => a - b)[Math.floor(apart.length / 2)] ?? Number.NaN;
      process.stderr.write(
        `${kernel} ${id}: ${missed.length} of ${ours.length} missing, ${moments.length} in all; median ${usual} ns behind\n`,
      );
      return {
        id,
        enough: ours.length >= FRAMES,
        same:
          missed.length + others === 0
            ? 'all'
            : `missing ${missed.map(({ time, cpu }) => `${time - from} ns on CPU ${cpu}`).join(', ')}, ${others} of none: ${stderr}`,
        close: usual < APART_NS,
      };
    });
    expect(results).toEqual(results.map(({ id }) => ({ id, enough: true, same: 'all', close: true })));
  });

  it('takes away what it put there', async () => {
    const rest = await guest.shell(
      'cd /sys/kernel/tracing; cat kprobe_events dynamic_events 2>/dev/null; ls instances; ls /tmp | grep -E "\\.(data|dat)$" || true',
    );
    expect(rest.trim()).toBe('');
    expect(left).toEqual([]);
  });
}
