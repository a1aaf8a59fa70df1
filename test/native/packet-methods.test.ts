/**
 * The methods perf and af_packet through a veth pair of our own: every packet is sent by us and counted, tcpdump and perf
 * look beside them, and a reader that sleeps loses what the ledger says.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { installed, waitFor } from '../../bench/lib/run.js';
import { Undo } from '../../bench/lib/undo.js';
import { Veth } from '../../bench/native/veth.js';
import { compile } from '../support/compile.js';
import { cannotTrace, titled } from './needs.js';
import { type Line, RunningTrace, linesOf, packetsIn } from './trace.js';

const PACKETS = 2000;
const CPU = 0;
const programs = ['perf', 'tcpdump'].filter((program) => !installed(program));
const why = cannotTrace ?? (programs.length > 0 ? `needs ${programs.join(' and ')}` : undefined);

/** A program that listens beside a trace until it gets SIGINT. */
class Beside {
  private readonly child;
  private readonly closed: Promise<void>;
  private text = '';

  constructor(namespace: string, words: readonly string[]) {
    this.child = spawn('ip', ['netns', 'exec', namespace, ...words], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.closed = new Promise((resolve) => this.child.once('close', () => resolve()));
    for (const stream of [this.child.stdout, this.child.stderr])
      stream.on('data', (chunk: Buffer) => (this.text += chunk.toString()));
  }

  kill(): void {
    this.child.kill('SIGKILL');
  }

  /** Waits until it has said so. */
  async until(what: string, said: (text: string) => boolean): Promise<void> {
    await waitFor(`${what}, by a program that says: ${this.text.slice(0, 1000)}`, () => said(this.text), {
      seconds: 30,
    });
  }

  async end(): Promise<string> {
    this.child.kill('SIGINT');
    await this.closed;
    return this.text;
  }
}

/** Nanoseconds of `seconds.nanoseconds`, to be subtracted. */
const nanoseconds = (text: string): bigint => BigInt(text.replace('.', ''));

/**
 * Packets whose time is not the one that the other tool tells of them: more than 1 ms away, and not even between the
 * times of the packets before and behind. The core may be taken away between the two readings of the clock for one
 * packet, for as long as it likes; the next packet comes behind both.
 */
function apart(packets: readonly Line[], theirs: readonly bigint[]): string[] {
  const times = packets.map(({ arrival }) => BigInt(arrival));
  return times.flatMap((time, i) => {
    const their = theirs[i] as bigint;
    const between = their > (times[i - 1] ?? 0n) && their < (times[i + 1] ?? their + 1n);
    const off = Number(time - their);
    return Math.abs(off) <= 1e6 || between ? [] : [`packet ${i}: ${off} ns`];
  });
}

describe.skipIf(why !== undefined)(titled('packets by perf and by a packet socket', why), () => {
  const undo = new Undo();
  let link: Veth;
  let folder = '';

  beforeAll(async () => {
    link = await Veth.create(undo, compile('bench/load/flood.c'), CPU);
    folder = mkdtempSync(join(tmpdir(), 'rxstamp-perf-'));
    undo.add(() => rmSync(folder, { recursive: true, force: true }));
  });
  afterAll(() => undo.all());

  const trace = (method: string, ...words: string[]): Promise<RunningTrace> =>
    new RunningTrace([link.name, '--method', method, '--format', 'ndjson', ...words], link.namespace).ready();

  async function flood(packets: number, gapUs = 50): Promise<void> {
    const { sent, received } = await link.flood({ packets, bytes: 100, gapUs });
    expect([sent, received]).toEqual([packets, packets]);
  }

  const packetsOf = (lines: readonly Line[]): Line[] => lines.filter(({ type }) => type === 'packet');
  const lostOf = (lines: readonly Line[], cause: string): number =>
    lines
      .filter((line) => line.type === 'loss' && line.cause === cause)
      .reduce((sum, { count }) => sum + count, 0);

  it('are all told by perf, at the times that perf record tells', async () => {
    const file = join(folder, 'perf.data');
    const words = ['record', '-q', '-k', 'CLOCK_MONOTONIC', '-a', '-e', 'net:netif_rx_entry'];
    // Room for all of them (200 KiB), whenever it is read. It begins when told to, and says so.
    const begin = ['-m', '4M', '-D', '-1', '--control', 'fd:3,4'];
    const filter = ['--filter', `name == "${link.name}"`, '-o', file];
    // Where tracefs is: not in a namespace of `ip netns exec`.
    const record = spawn('perf', [...words, ...begin, ...filter], {
      stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
    });
    undo.add(() => void record.kill('SIGKILL'));
    const [, , , control, answers] = record.stdio as unknown as [null, null, null, Writable, Readable];
    const begun = new Promise<string>((resolve, reject) => {
      answers.once('data', (chunk: Buffer) => resolve(chunk.toString()));
      record.once('close', () => reject(new Error('perf record has ended')));
    });
    control.write('enable\n');
    expect(await begun).toMatch(/^ack\n/);
    const running = await trace('perf', '--until', 'stack');
    await flood(PACKETS);
    const { code, stdout } = await running.interrupt();
    const ended = new Promise((resolve) => record.once('close', resolve));
    record.kill('SIGINT');
    await ended;
    const packets = packetsOf(linesOf(stdout));
    expect([code, packets.length]).toEqual([0, PACKETS]);
    expect(packets.filter(({ stages }) => stages['stack'] === undefined)).toEqual([]);
    const script = spawnSync('perf', ['script', '-i', file, '--ns', '-F', 'time'], {
      encoding: 'utf8',
    }).stdout;
    const theirs = [...script.matchAll(/^ *(\d+\.\d{9}):/gm)].map(([, time = '']) => nanoseconds(time));
    expect(theirs.length).toBe(PACKETS);
    // Two perf events on one tracepoint hit: each reads the clock for itself.
    expect(apart(packets, theirs)).toEqual([]);
  });

  it('are all told by a packet socket, at the times that tcpdump tells', async () => {
    const words = [
      '-i',
      link.name,
      '-n',
      '-l',
      '--immediate-mode',
      '-tt',
      '--time-stamp-precision=nano',
      '-s',
      '96',
      '-B',
      '32768',
      'udp',
    ];
    const tcpdump = new Beside(link.namespace, ['tcpdump', ...words]);
    undo.add(() => tcpdump.kill());
    await tcpdump.until('tcpdump listens', (text) => text.includes('listening on'));
    const running = await trace('af_packet', '--until', 'stack', '--clock', 'real', 'udp');
    await flood(PACKETS);
    const { code, stdout, stderr } = await running.interrupt();
    // SIGINT ends it where it is.
    const told = (text: string): number => (text.match(/ IP .*\n/g) ?? []).length;
    await tcpdump.until('tcpdump has told every packet', (text) => told(text) >= PACKETS);
    const said = await tcpdump.end();
    const lines = linesOf(stdout);
    const packets = packetsOf(lines);
    expect([code, packets.length]).toEqual([0, PACKETS]);
    // The filter counts nothing, so nothing is said about what it stopped.
    expect(stderr).not.toContain('shown');
    const theirs = [...said.matchAll(/^(\d+\.\d{9}) IP /gm)].map(([, time = '']) => nanoseconds(time));
    expect(said).toContain('\n0 packets dropped by kernel');
    expect(theirs.length).toBe(PACKETS);
    expect(apart(packets, theirs)).toEqual([]);
    expect(new Set(packets.map(({ flow, length }) => `${flow.destinationPort} ${length}`))).toEqual(
      new Set(['9999 128']),
    );
    expect(new Set(packets.map(({ how, stages }) => `${how} ${Object.keys(stages).join()}`))).toEqual(
      new Set(['unknown stack']),
    );
  });

  it('of one CPU only are told where one is asked for', async () => {
    for (const [cpu, expected] of [
      [CPU, 100],
      [1 - CPU, 0],
    ] as const) {
      const running = await trace('af_packet', '--until', 'stack', '--cpu', String(cpu));
      await flood(100);
      const packets = packetsOf(linesOf((await running.interrupt()).stdout));
      expect([packets.length, packets.every((packet) => packet.cpu === cpu)]).toEqual([expected, true]);
    }
  });

  it.each([
    ['perf', 'driver', 'events_lost'],
    ['af_packet', 'stack', 'ring_full'],
  ])('are seen or counted by %s while its reader sleeps', async (method, until, cause) => {
    const running = await trace(method, '--until', until, '--buffer', '64KiB');
    running.kill('SIGSTOP');
    await flood(PACKETS, 0);
    running.kill('SIGCONT');
    // It goes on behind what was lost; then as many at a time as it has room for, whenever it reads.
    await running.until('go on', (said) => packetsIn(said) > 0);
    const first = packetsIn(running.said());
    for (let i = 1; i <= 5; i++) {
      await flood(100);
      await running.until(`see part ${i}`, (said) => packetsIn(said) >= first + 100 * i);
    }
    const { code, stdout } = await running.interrupt();
    const lines = linesOf(stdout);
    const seen = packetsOf(lines).length;
    const lost = lostOf(lines, cause);
    // veth without NAPI: netif_rx is a packet's one event up to the driver stage.
    expect([code, seen + lost]).toEqual([3, PACKETS + 500]);
    expect(lost).toBeGreaterThan(500);
    expect(seen).toBeGreaterThan(500);
  });
});
