/**
 * Every command line of `rxstamp explain` is run in a guest beside a trace: it must show the same interrupts, as many and
 * at the same times. Those that share nothing run all at once; perf-tools share the trace buffer, so they take turns.
 */
import { beforeAll, expect, it } from 'vitest';
import { udpFlows } from '../../../lab/frames.js';
import type { Guest } from '../../../lab/guest.js';
import type { Finished, Running } from '../../../lab/running.js';
import type { Tool } from '../../../src/explain/commands.js';
import type { ExplainDocument } from '../../../src/explain/text.js';

type Line = ExplainDocument['equivalents'][number];

const CLI = ['node', 'dist/src/cli/main.js'];
const FRAMES = 40;
/** Turns of half a second or more, in which the tools must have started. */
const READY_TURNS = 150;
/** Turns of a second in which the kernel must have freed the programs of tools that have ended. */
const SYMBOL_TURNS = 30;
/** The hooks of all tools run one behind the other, in an emulator. */
const APART_NS = 20_000_000;

const pause = (ms: number): Promise<void> => new Promise((resume) => setTimeout(resume, ms));

/** Nanoseconds of each line that a tool printed. */
function timesOf(tool: Tool, text: string): number[] {
  if (tool === 'bpftrace')
    return [...text.matchAll(/^irq .* time (\d+)$/gm)].map((match) => Number(match[1]));
  return text
    .split('\n')
    .filter((line) => !line.startsWith('#'))
    .flatMap((line) => {
      const [, seconds, fraction = ''] = /\s(\d+)\.(\d+):\s/.exec(line) ?? [];
      return seconds === undefined ? [] : [Number(seconds) * 1e9 + Number(fraction.padEnd(9, '0'))];
    });
}

/**
 * The first of `times` behind each entry that no entry before has; both in order. Two CPUs may enter one behind the other
 * before either has come to its handler. Text may round down by a microsecond.
 */
function behind(entries: readonly number[], times: readonly number[]): number[] {
  let at = 0;
  return entries.flatMap((entry) => {
    while (at < times.length && (times[at] as number) < entry - 1000) at++;
    const time = times[at];
    if (time === undefined || time >= entry + APART_NS) return [];
    at++;
    return time;
  });
}

/**
 * What trace-cmd is to run: it begins when everything is set up, and its end is the end of the recording. A signal finds
 * trace-cmd, or the recorders that are its children, in the middle of something now and then, and the file stays empty.
 */
const ownCommand = ({ tool }: Line, index: number): string | undefined =>
  tool === 'trace-cmd' ? `sleep 86400.${index}` : undefined;

/** Checks of `explain` on eth0 of a guest that was booted before. */
export function explainChecks(guest: Guest, kernel: string): void {
  let document: ExplainDocument;
  let trace: Running;
  /** What could not be taken away. */
  const left: string[] = [];
  const outputs = new Map<string, { text: string; stderr: string; from: number; to: number }>();

  const uptime = async (): Promise<number> =>
    Number((await guest.shell('cat /proc/uptime')).split(' ')[0]) * 1e9;
  const script = (lines: readonly string[]): string => lines.join('\n');

  /**
   * Ends command lines, trace-cmd behind all others: at its end it writes the kernel's symbols, whose size it has asked
   * for before, and ends without a file when a program of another tool goes meanwhile.
   */
  async function endAll(lines: readonly Line[], started: readonly Running[]): Promise<Finished[]> {
    const pairs = started.map((one, index) => ({ one, own: ownCommand(lines[index] as Line, index) }));
    const others = pairs.filter(({ own }) => own === undefined);
    for (const { one } of others) one.kill('SIGINT');
    await Promise.all(others.map(({ one }) => one.wait()));
    for (const { one, own } of pairs) {
      if (own === undefined) continue;
      await quietSymbols();
      await guest.shell(`pkill -xf '${own}' || true`);
      await one.wait();
    }
    return Promise.all(started.map((one) => one.wait()));
  }

  /** Waits until the kernel's symbols stay as they are: it frees programs some time behind their owner's end. */
  async function quietSymbols(): Promise<void> {
    const symbols = (): Promise<string> => guest.shell('cksum </proc/kallsyms');
    for (let turn = 0, last = ''; turn < SYMBOL_TURNS; turn++) {
      const now = await symbols();
      if (now === last) return;
      last = now;
      await pause(1000);
    }
    throw new Error('the kernel’s symbols do not stay as they are');
  }

  /** Runs command lines side by side under the same frames. */
  async function run(lines: readonly Line[]): Promise<void> {
    const started = lines.map((line, index) => {
      const command = [line.run, ownCommand(line, index) ?? ''].join(' ');
      return guest.start(['sh', '-c', script(['set -e', ...line.prepare, `exec ${command}`])]);
    });
    const heard = new Map<number, string>();
    const listen = async (running: Running, index: number): Promise<void> => {
      for await (const text of running.lines()) heard.set(index, `${heard.get(index) ?? ''}${text}\n`);
    };
    const listening = started.map(listen);
    // Those that print are ready when they do; perf when it has begun its file, and gets some seconds more.
    const ready = (index: number, signs: readonly string[]): boolean => {
      const line = lines[index] as Line;
      const sign = ownCommand(line, index) ?? / -o \/tmp\/(\S+)/.exec(line.run)?.[1];
      return sign === undefined
        ? timesOf(line.tool, heard.get(index) ?? '').length > 0
        : signs.some((one) => one.startsWith(sign));
    };
    for (let i = 0; i < READY_TURNS; i++) {
      await guest.injector.send(udpFlows({ count: 8, flows: 8 }));
      const signs = (await guest.shell('ls /tmp; ps -eo args')).split('\n');
      if (started.every((one, index) => one.over || ready(index, signs))) break;
      await pause(300);
    }
    await pause(lines.length > 1 ? 5000 : 500);
    const from = await uptime();
    await pause(200);
    await guest.injector.send(udpFlows({ count: FRAMES, flows: 8 }), { burst: 1, gapUs: 20_000 });
    await pause(500);
    const to = await uptime();
    const done = await endAll(lines, started);
    await Promise.all(listening);
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
    const interrupts = stdout
      .split('\n')
      .filter((line) => line.startsWith('{"type":"interrupt"'))
      .map((line) => Number((JSON.parse(line) as { time: string }).time));
    const results = document.equivalents.map(({ id, tool, exact }) => {
      const { text, stderr, from, to } = outputs.get(id) ?? { text: '', stderr: 'not run', from: 0, to: 0 };
      const within = (time: number): boolean => time >= from && time <= to;
      const ours = interrupts.filter(within).sort((a, b) => a - b);
      const all = timesOf(tool, text).sort((a, b) => a - b);
      // What shows other interrupts too must show each of these: behind its entry, none twice.
      const theirs = exact ? all.filter(within) : behind(ours, all);
      const apart = theirs.map((time, index) => Math.abs(time - (ours[index] ?? Number.NaN)));
      const worst = Math.max(...apart);
      process.stderr.write(
        `${kernel} ${id}: ${theirs.length} of ${ours.length} (${all.length} in all), worst ${worst} ns\n`,
      );
      return {
        id,
        enough: ours.length >= FRAMES / 2,
        same: theirs.length === ours.length ? 'count' : `${theirs.length} of ${ours.length}: ${stderr}`,
        close: worst < APART_NS,
      };
    });
    expect(results).toEqual(results.map(({ id }) => ({ id, enough: true, same: 'count', close: true })));
  });

  it('takes away what it put there', async () => {
    const rest = await guest.shell(
      'cd /sys/kernel/tracing; cat kprobe_events dynamic_events 2>/dev/null; ls instances; ls /tmp | grep -E "\\.(data|dat)$" || true',
    );
    expect(rest.trim()).toBe('');
    expect(left).toEqual([]);
  });
}
