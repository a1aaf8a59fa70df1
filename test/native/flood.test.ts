/** Packets through a veth pair of our own, every one of them sent by us and counted. */
import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Undo } from '../../bench/lib/undo.js';
import { Veth } from '../../bench/native/veth.js';
import { clockNow } from '../../src/sys/libc.js';
import { compile } from '../support/compile.js';
import { cannotTrace, titled } from './needs.js';
import { type Ended, RunningTrace, linesOf } from './trace.js';

const PACKETS = process.env['RXSTAMP_LONG'] === '1' ? 3_000_000 : 300_000;
const ENDS = process.env['RXSTAMP_LONG'] === '1' ? 300 : 20;
const LIMIT = { timeout: 120_000 + PACKETS / 20 };
const CPU = 0;

describe.skipIf(cannotTrace !== undefined)(titled('a veth pair', cannotTrace), () => {
  const undo = new Undo();
  let link: Veth;
  let program = '';

  beforeAll(async () => {
    program = compile('bench/load/flood.c');
    link = await Veth.create(undo, program, CPU);
  });
  afterAll(() => undo.all());

  const trace = (...args: string[]): Promise<RunningTrace> =>
    new RunningTrace([link.name, ...args], link.namespace).ready();

  /** Sends from a CPU of choice, as fast as it goes, to the end. */
  function send(packets: number, cpu: number, bytes = 100): void {
    const tx = link.namespace.replace(/rx$/, 'tx');
    const words = ['198.18.0.2', '9999', packets, bytes, cpu, 0].map(String);
    const done = spawnSync('ip', ['netns', 'exec', tx, program, ...words], {
      encoding: 'utf8',
      timeout: 60_000,
    });
    expect(done.stdout).toContain(`"sent":${packets},"failed":0`);
  }

  it(
    `is seen whole under a flood: ${PACKETS} packets are ${PACKETS} times and nothing else`,
    LIMIT,
    async () => {
      // A large ring: this is about every packet being seen, not about how busy the machine is beside the test.
      const running = await trace('--format', 'times', '--buffer', '128MiB');
      const before = clockNow('mono');
      const { sent, received } = await link.flood({ packets: PACKETS, bytes: 100 });
      const after = clockNow('mono');
      const { code, stdout, stderr } = await running.interrupt();
      expect([sent, received]).toEqual([PACKETS, PACKETS]);
      expect(stderr.split('\n')[0]).toMatch(new RegExp(`^${PACKETS} packets stamped .* 0 lost$`));
      expect(code).toBe(0);
      const lines = stdout.trimEnd().split('\n');
      expect(lines.length).toBe(PACKETS);
      const times = lines.map((line) => BigInt(/^(\d+)\.(\d{9})$/.exec(line)?.slice(1).join('') ?? '-1'));
      expect(times.filter((time) => time < before || time > after)).toEqual([]);
      expect(times.filter((time, index) => index > 0 && time < times[index - 1]!)).toEqual([]);
    },
  );

  it('gives every packet its length, flow, class and number', LIMIT, async () => {
    const running = await trace('--format', 'csv', '--buffer', '16MiB');
    send(100_000, CPU);
    const { code, stdout } = await running.interrupt();
    expect(code).toBe(0);
    const [heading = '', ...rows] = stdout.trimEnd().split('\n');
    expect(rows.length).toBe(100_000);
    const columns = heading.split(',');
    const wanted = {
      how: 'no-irq',
      length: '128',
      destination: '198.18.0.2',
      destination_port: '9999',
      cpu: '0',
    };
    const wrong = rows.filter((row, index) => {
      const cells = row.split(',');
      const off = Object.entries(wanted).some(([name, value]) => cells[columns.indexOf(name)] !== value);
      return off || cells[0] !== String(index + 1);
    });
    expect(wrong).toEqual([]);
  });

  it(`ends after its last line, ${ENDS} times of ${ENDS}`, { timeout: 60_000 + ENDS * 6000 }, async () => {
    // Node's own end may hang while the compiler is busy (src/sys/end.ts): about once in 50 runs like this one.
    for (let i = 0; i < ENDS; i++) {
      const running = await trace('--format', 'ndjson', '--until', 'stack');
      send(2000, CPU);
      expect((await running.interrupt()).code).toBe(0);
    }
  });

  it(
    'counts what it lost when the reader is held up: seen and lost are all that was sent',
    LIMIT,
    async () => {
      const running = await trace('--format', 'ndjson', '--buffer', '64KiB');
      running.kill('SIGSTOP');
      try {
        send(20_000, CPU);
      } finally {
        running.kill('SIGCONT');
      }
      const { code, stdout } = await running.interrupt();
      const lines = linesOf(stdout);
      const packets = lines.filter((line) => line.type === 'packet');
      const losses = lines.filter((line) => line.type === 'loss');
      const summary = lines.at(-1);
      const lost = losses.reduce((sum, loss) => sum + loss.count, 0);
      expect(code).toBe(3);
      expect(packets.length + lost).toBe(20_000);
      expect(summary).toMatchObject({ type: 'summary', packets: packets.length, packetsLost: lost, lost });
      expect(lost).toBeGreaterThan(15_000);
      for (const loss of losses) {
        expect(loss).toMatchObject({ cause: 'ring_full', cpu: CPU });
        expect(BigInt(loss.from)).toBeLessThan(BigInt(loss.to));
      }
    },
  );

  it('goes on after a loss: what comes later is seen whole', LIMIT, async () => {
    const running = await trace('--format', 'csv', '--buffer', '64KiB');
    running.kill('SIGSTOP');
    send(5000, CPU, 100);
    const heading = running.said().length;
    running.kill('SIGCONT');
    // It prints behind emptying the ring, which has room for all of the second part then, whenever that is read.
    await running.until('go on', (said) => said.length > heading);
    send(500, CPU, 40);
    const { code, stdout } = await running.interrupt();
    expect(code).toBe(3);
    expect(stdout.split('\n').filter((row) => row.split(',')[11] === '68').length).toBe(500);
  });

  it('shows only what the CPUs of --cpu handled', LIMIT, async () => {
    const running = await trace('--format', 'ndjson', '--cpu', '0');
    send(200, 1);
    send(300, 0);
    const { code, stdout } = await running.interrupt();
    const cpus = linesOf(stdout).flatMap((line) => (line.type === 'packet' ? [line.cpu] : []));
    expect(code).toBe(0);
    expect(cpus).toEqual(Array<number>(300).fill(0));
  });

  it('merges the CPUs in the order of the stamps', LIMIT, async () => {
    const running = await trace('--format', 'ndjson');
    for (let i = 0; i < 5; i++) {
      send(40, 1);
      send(40, 0);
    }
    const { stdout } = await running.interrupt();
    const packets = linesOf(stdout).filter((line) => line.type === 'packet');
    expect(packets.map((packet) => packet.cpu)).toEqual(
      Array.from({ length: 400 }, (_, i) => (Math.floor(i / 40) % 2 === 0 ? 1 : 0)),
    );
    const times = packets.map((packet) => BigInt(packet.arrival));
    expect(times.filter((time, index) => index > 0 && time < times[index - 1]!)).toEqual([]);
  });

  it('stops after -c packets, to the packet', LIMIT, async () => {
    const running = await trace('--format', 'times', '-c', '7');
    send(500, CPU);
    const { code, stdout } = await running.ended();
    expect([code, stdout.trimEnd().split('\n').length]).toEqual([0, 7]);
  });

  it('stops after --duration, not before and not much later', LIMIT, async () => {
    const took: number[] = [];
    for (let i = 0; i < 3; i++) {
      const running = await trace('--duration', '700ms');
      // By its first line's own time: when this process looks is another matter.
      const begun = running.begun();
      const { code } = await running.ended();
      took.push(Date.now() - begun);
      expect(code).toBe(0);
    }
    // The time of a file lags by up to a tick, and a core that is taken away can only make it longer: the shortest tells.
    expect(Math.min(...took)).toBeGreaterThan(680);
    expect(Math.min(...took)).toBeLessThan(3000);
  });

  it.each(['mono', 'boot', 'real', 'tai'] as const)(
    'is shown in the clock that --clock %s names',
    LIMIT,
    async (clock) => {
      const running = await trace('--format', 'ndjson', '--clock', clock);
      const before = clockNow(clock);
      send(10, CPU);
      const after = clockNow(clock);
      const { stdout } = await running.interrupt();
      const [meta, ...lines] = linesOf(stdout);
      const error = BigInt((meta as unknown as { clock: { offsetErrorNs: number } }).clock.offsetErrorNs);
      const times = lines.filter((line) => line.type === 'packet').map((line) => BigInt(line.arrival));
      expect(times.length).toBe(10);
      expect(times.filter((time) => time < before - error || time > after + error)).toEqual([]);
      expect(error).toBeLessThan(100_000n);
    },
  );

  it('stamps the stack stage of every packet, after its driver stage', LIMIT, async () => {
    const running = await trace('--format', 'ndjson', '--until', 'stack');
    send(2000, CPU);
    const { code, stdout } = await running.interrupt();
    const stages = linesOf(stdout).flatMap((line) => (line.type === 'packet' ? [line.stages] : []));
    expect([code, stages.length]).toEqual([0, 2000]);
    expect(stages.filter((stage) => !(stage['stack']! > 0))).toEqual([]);
  });

  it('is told apart from an interface with the same number in another namespace', LIMIT, async () => {
    const other = `rxtest-${process.pid}`;
    const ip = (...args: string[]): void => expect(spawnSync('ip', args).status, args.join(' ')).toBe(0);
    ip('netns', 'add', other);
    const forget = undo.add(() => spawnSync('ip', ['netns', 'del', other]));
    const index = String(1_000_000 + process.pid);
    ip('-n', other, 'link', 'add', 'twin', 'index', index, 'type', 'veth', 'peer', 'name', 'twin-peer');
    ip('-n', other, 'addr', 'add', '198.19.0.1/24', 'dev', 'twin-peer');
    for (const name of ['twin', 'twin-peer']) ip('-n', other, 'link', 'set', name, 'up');
    ip('-n', other, 'neigh', 'replace', '198.19.0.2', 'lladdr', '02:00:00:00:00:01', 'dev', 'twin-peer');
    const running = await trace('--format', 'ndjson');
    const words = [program, '198.19.0.2', '9999', '50', '60', '0', '0'];
    const noise = spawnSync('ip', ['netns', 'exec', other, ...words], { encoding: 'utf8', timeout: 10_000 });
    expect(noise.stdout).toContain('"sent":50');
    send(20, CPU);
    const { stdout }: Ended = await running.interrupt();
    expect(linesOf(stdout).filter((line) => line.type === 'packet').length).toBe(20);
    forget();
  });
});
