/**
 * The module that prints at interrupt entry, and files that other tools have written, against the eBPF method: the same
 * interrupts, one to one, and the same packets. One boot records with all of them at once. 6.12; all kernels whose headers
 * the archive has with RXSTAMP_LONG=1.
 */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SPREAD_FLOWS, sequencePayload, spreadPort, udpFrame } from '../../../lab/frames.js';
import { GUEST_HOME } from '../../../lab/guest-scripts.js';
import { Guest } from '../../../lab/guest.js';
import type { Running } from '../../../lab/running.js';
import { parseClockPair } from '../../../src/sys/local-clock.js';
import { buildModule } from '../../../lab/module-build.js';
import { type InterruptLine, type PacketLine, type TraceLines, readTrace } from '../ndjson.js';
import { sendBusy } from './busy.js';
import { imported } from './imported.js';
import { type Moment, near } from './moments.js';
import { Recorder } from './recorder.js';

const CLI = ['node', 'dist/src/cli/main.js'];
const INSTANCE = '/sys/kernel/tracing/instances/rxlab';
const EVENTS = [
  'irq:irq_handler_entry',
  'irq:irq_handler_exit',
  'irq:softirq_raise',
  'irq:softirq_entry',
  'irq:softirq_exit',
  'napi:napi_poll',
  'net:napi_gro_receive_entry',
  'net:netif_receive_skb',
];
const COUNT = 200;
const SHORTEST = 20;
/** Interrupts that each line must have had. */
const ENOUGH = 60;
const FILES = ['ftrace.txt', 'trace-cmd.txt', 'perf.txt'];
/** printk-module counts lines per CPU and 2^30 ns. */
const LIMIT_NS = 2 ** 30;

const pause = (ms: number): Promise<void> => new Promise((resume) => setTimeout(resume, ms));

/** Text of ftrace is rounded to microseconds. */
const ROUNDED_NS = 1000;
/** Printk's time is rounded, and converted by clocks that are compared every 100 ms. */
const CONVERTED_NS = 20_000;

/** An interrupt as the comparisons see it. */
interface Seen {
  readonly irq: number;
  readonly vector: number | null;
  readonly cpu: number | null;
  readonly time: number;
  readonly isr: number;
}

const KERNELS = process.env['RXSTAMP_LONG'] === '1' ? ['5.10', '6.1', '6.12', '7'] : ['6.12'];

describe.each(KERNELS)('printk and imported files on %s', (kernel) => {
  const guest = new Guest({ kernel, nic: 'igb,queues=2', cpus: 2 });
  let module: string;
  let irqs: string;
  /** CLOCK_MONOTONIC before and behind the traffic, with nothing on either side of each. */
  let window: readonly [number, number];
  let packetWindow: readonly [number, number];
  let traced: Record<'ebpf' | 'printk', TraceLines>;
  let packets: TraceLines;

  const now = async (): Promise<number> =>
    Number((await guest.run(['node', '-p', 'process.hrtime.bigint().toString()'])).stdout);

  async function start(...args: string[]): Promise<Running> {
    const running = guest.start([...CLI, 'trace', 'eth0', '--format', 'ndjson', ...args]);
    for await (const line of running.lines()) if (line.startsWith('{"type":"meta"')) return running;
    throw new Error((await running.wait()).stderr);
  }
  async function finish(running: Running): Promise<TraceLines> {
    running.kill('SIGINT');
    const { code, stdout, stderr } = await running.wait();
    expect(code, stderr).toBe(0);
    return readTrace(stdout);
  }
  /** Frames until both lines have had enough interrupts; the first {@link COUNT} are told apart by their lengths. */
  async function traffic(port: number, gapUs = 5000): Promise<readonly [number, number]> {
    const frames = (round: number): Buffer[] =>
      Array.from({ length: COUNT }, (_, index) =>
        udpFrame({
          sourcePort: spreadPort(index % SPREAD_FLOWS),
          port,
          payload: sequencePayload(index, SHORTEST + (round === 0 ? index : COUNT)),
        }),
      );
    const from = await now();
    await sendBusy(guest, irqs.split(',').map(Number), ENOUGH, frames, { burst: 2, gapUs });
    return [from, await now()];
  }
  /** Of a file that the guest has put into the exchange folder. */
  const fileLines = (file: string, ...args: string[]): TraceLines =>
    imported(join(guest.exchange, file), ...args);
  const parameter = async (name: string): Promise<string> =>
    (await guest.shell(`cat /sys/module/irq_printk/parameters/${name}`)).trim();

  /** Interrupts of the traffic, those of each CPU (where it is told) in their order. */
  function within(
    { interrupts }: { readonly interrupts: readonly InterruptLine[] },
    [from, to]: readonly [number, number],
    offset = 0,
  ): Seen[] {
    const wanted = irqs.split(',').map(Number);
    return interrupts
      .map(({ irq, vector, cpu, time, isr }) => ({
        irq,
        vector,
        cpu,
        time: Number(time) + offset,
        isr: Number(time) + offset + (isr ?? Number.NaN),
      }))
      .filter(({ irq, time }) => wanted.includes(irq) && time > from && time < to);
  }
  /** The interrupts of one line in both; a line is on one CPU here, so they come in one order. */
  function pairs(one: readonly Seen[], other: readonly Seen[]): (readonly [Seen, Seen])[] {
    const lists = irqs.split(',').map((irq) => {
      const [mine, theirs] = [one, other].map((all) => all.filter((seen) => seen.irq === Number(irq)));
      expect(theirs?.length, `interrupts of ${irq}`).toBe(mine?.length);
      return (mine ?? []).map((seen, index) => [seen, (theirs ?? [])[index] as Seen] as const);
    });
    expect(lists.every((list) => list.length > 20)).toBe(true);
    return lists.flat();
  }

  beforeAll(async () => {
    module = await buildModule(kernel, 'examples/printk-module', 'irq_printk');
    await guest.boot();
    const table = await guest.shell('cat /proc/interrupts');
    irqs = [...table.matchAll(/^\s*(\d+):.*eth0-rx-\d+$/gm)].map(([, irq]) => irq).join(',');

    const without = await guest.run([...CLI, 'trace', 'eth0', '--interrupts', '--method', 'printk']);
    expect([without.code, without.stderr]).toEqual([
      1,
      expect.stringMatching(/^RXS_NO_METHOD: .*module irq_printk is not loaded .*insmod irq_printk\.ko irq=/),
    ]);
    await guest.shell(`/run/rxlab/busybox insmod ${module} irq=${irqs} detail=1`);

    // Everything at once, with the module's times of entry. What records all softirqs begins last.
    const runs = [
      await start('--interrupts'),
      await start('--interrupts', '--method', 'printk'),
      await start('--until', 'stack'),
    ] as const;
    const events = EVENTS.flatMap((event) => ['-e', event]);
    // Rings with room for all softirqs of some seconds in which the recorder was not run.
    // Without --no-filter it leaves out what comes while its own threads have the CPU.
    const buffered = ['--no-filter', '-q', '-C', 'mono', '-b', '16384'];
    const cmd = ['trace-cmd', 'record', ...buffered, '-o', '/tmp/t.dat', ...events];
    const perf = ['perf', 'record', '-q', '-a', '-k', 'mono', '-m', '16M', '-o', '/tmp/p.data', ...events];
    const recorders = [
      await Recorder.start(guest, 'trace-cmd', cmd),
      await Recorder.start(guest, 'perf', perf),
    ];
    await guest.shell(
      `mkdir ${INSTANCE}; cd ${INSTANCE}; echo mono > trace_clock; for e in ${EVENTS.join(' ').replaceAll(':', '/')}; do echo 1 > events/$e/enable; done`,
    );
    // So slow that most frames have an interrupt of their own although a vCPU is held back for seconds.
    window = await traffic(9999, 40_000);
    packetWindow = window;
    // Softirqs fill its buffer, and would write over the traffic in the end.
    await guest.shell(`echo 0 > ${INSTANCE}/tracing_on`);
    // Before the traces: their BPF programs are symbols of the kernel, which must stay as they are until trace-cmd has ended.
    for (const recorder of recorders) await recorder.end();
    const [ebpf, printk] = [await finish(runs[0]), await finish(runs[1])];
    traced = { ebpf, printk };
    packets = await finish(runs[2]);
    await guest.shell(
      [
        `cd ${INSTANCE}; cat trace > /run/rxlab/x/ftrace.txt; cd /run/rxlab/x; rmdir ${INSTANCE}`,
        'dmesg > dmesg.txt',
        'trace-cmd report -t -i /tmp/t.dat > trace-cmd.txt 2>/dev/null',
        'perf script --ns -i /tmp/p.data > perf.txt 2>/dev/null',
      ].join('; '),
    );
  });
  afterAll(() => guest.close());

  it('prints every interrupt that eBPF sees, at its entry', () => {
    const both = pairs(within(traced.ebpf, window), within(traced.printk, window));
    // The earliest fentry is on irq_enter_rcu, just before; on 5.10 the module can only be at the flow handler.
    for (const [ebpf, printk] of both) {
      expect(printk.cpu).toBe(ebpf.cpu);
      if (ebpf.vector !== null) expect(printk.vector).toBe(ebpf.vector);
      expect(printk.time).toBeGreaterThan(ebpf.time);
      expect(printk.time).toBeLessThan(ebpf.isr);
    }
    expect(traced.printk.summary.lost).toBe(0);
  });

  it('dmesg, imported, has the same interrupts to the nanosecond', () => {
    const live = within(traced.printk, window);
    const file = fileLines('dmesg.txt');
    expect(within(file, window)).toEqual(live);
  });

  it('ftrace, trace-cmd and perf, imported, have the same interrupts', () => {
    const ebpf = within(traced.ebpf, window);
    for (const name of FILES) {
      const file = fileLines(name, '--interrupts', '--clock', 'mono');
      const both = pairs(ebpf, within(file, window));
      expect(both.map(([, other]) => other.cpu)).toEqual(both.map(([one]) => one.cpu));
      // The tracepoint is eBPF's stage isr too.
      near(
        name,
        both.map(([one, other]) => ({ row: one.irq, mine: one.isr, theirs: other.time })),
        ROUNDED_NS,
      );
    }
  });

  it('ftrace, trace-cmd and perf, imported, have the same packets with the same interrupts', () => {
    const ofTraffic = ({ packets: all }: TraceLines): PacketLine[] =>
      all
        .filter(({ arrival }) => Number(arrival) > packetWindow[0] && Number(arrival) < packetWindow[1])
        .filter(({ length }) => length >= 28 + SHORTEST && length < 28 + SHORTEST + COUNT)
        .sort((a, b) => a.length - b.length);
    const ebpf = ofTraffic(packets);
    expect(ebpf).toHaveLength(COUNT);
    const at = (packet: PacketLine, stage: 'isr' | 'driver' | 'stack'): number =>
      Number(packet.arrival) + (packet.stages[stage] ?? Number.NaN);
    for (const name of FILES) {
      const file = ofTraffic(fileLines(name, '--clock', 'mono'));
      expect(
        file.map(({ length, cpu, irq }) => [length, cpu, irq]),
        name,
      ).toEqual(ebpf.map(({ length, cpu, irq }) => [length, cpu, irq]));
      expect(file.some(({ certain }) => certain)).toBe(false);
      const moments = (stage: 'isr' | 'driver' | 'stack'): Moment[] =>
        file
          .map((packet, index) => {
            const mine = at(ebpf[index] as PacketLine, stage);
            return { row: packet.cpu, mine, theirs: at(packet, stage) };
          })
          .filter(({ mine, theirs }) => !Number.isNaN(theirs - mine));
      for (const stage of ['driver', 'stack'] as const) near(`${name} ${stage}`, moments(stage), ROUNDED_NS);
      // Which interrupt led to a packet is inferred from a file.
      const apart = moments('isr').map(({ mine, theirs }) => Math.abs(theirs - mine));
      apart.sort((a, b) => a - b);
      expect(apart.length, `${name} isr`).toBeGreaterThan(20);
      expect(apart[Math.floor(apart.length / 2)], `${name} isr`).toBeLessThan(300_000);
      expect(apart.at(-1), `${name} isr`).toBeLessThan(100_000_000);
      const caused = file.filter(({ stages }) => stages.isr !== undefined).length;
      expect(caused).toBeGreaterThan(COUNT / 2);
    }
  });

  it('the plain line has printk’s own time, converted where it is read live', async () => {
    await guest.shell('echo 0 > /sys/module/irq_printk/parameters/detail; dmesg -C');
    const runs = [await start('--interrupts'), await start('--interrupts', '--method', 'printk')] as const;
    const span = await traffic(9998);
    const [ebpf, printk] = [await finish(runs[0]), await finish(runs[1])];
    const both = pairs(within(ebpf, span), within(printk, span));
    expect(both.filter(([, other]) => other.cpu !== null)).toEqual([]);
    const late = both.map(([one, other]) => other.time - one.time);
    // Rounded down to 1 µs, and the two clocks are compared every 100 ms.
    expect(Math.min(...late)).toBeGreaterThan(-CONVERTED_NS);
    near(
      'printing',
      both.map(([one, other]) => ({ row: one.irq, mine: one.time, theirs: other.time })),
      CONVERTED_NS,
    );
    await guest.shell('cd /run/rxlab/x; dmesg > plain.txt; dmesg --time-format iso > iso.txt');
    const file = fileLines('plain.txt');
    const clocks = await guest.shell(
      'head -c 512 /sys/kernel/debug/sched/debug || head -c 512 /proc/sched_debug',
    );
    const { mono, local } = parseClockPair(clocks) ?? { mono: 0n, local: 0n };
    const offset = Number(mono - local);
    expect(within(file, span, offset)).toHaveLength(both.length);
    expect(within(fileLines('iso.txt'), [0, Infinity]).length).toBeGreaterThanOrEqual(both.length);
  });

  it('counts lines that the module left out, and what the log has overwritten', async () => {
    await guest.shell('echo 1 > /sys/module/irq_printk/parameters/limit');
    const limited = await start('--interrupts', '--method', 'printk');
    const before = Number(await parameter('skipped'));
    const span = await traffic(9997);
    // While it listens: the NIC's driver has every queue interrupt now and then, behind the trace's end too.
    const skipped = Number(await parameter('skipped')) - before;
    limited.kill('SIGINT');
    const done = await limited.wait();
    expect([done.code, skipped > 50]).toEqual([3, true]);
    const lines = readTrace(done.stdout);
    expect(lines.losses.reduce((sum, { count }) => sum + count, 0)).toBeGreaterThanOrEqual(skipped);
    const seconds = Math.ceil((span[1] - span[0]) / LIMIT_NS) + 1;
    expect(within(lines, span).length).toBeLessThanOrEqual(guest.cpus * seconds);
    await guest.shell('echo 0 > /sys/module/irq_printk/parameters/limit');

    const overrun = await start('--interrupts', '--method', 'printk');
    // It reads nothing of what is written: it has stopped before, and goes on behind.
    await guest.shell(
      [
        `pid=$(cat ${GUEST_HOME}/${overrun.id}.pid); kill -s STOP -- -$pid`,
        'n=0; until grep -q "^State:.T" /proc/$pid/status; do n=$((n+1)); [ $n -lt 600 ] || exit 1; sleep 0.05; done',
        'for i in $(seq 6000); do echo "filler $i" > /dev/kmsg; done',
        'kill -s CONT -- -$pid',
      ].join('; '),
    );
    await pause(500);
    overrun.kill('SIGINT');
    const over = await overrun.wait();
    expect(over.code).toBe(3);
    const { losses } = readTrace(over.stdout);
    expect(losses).toMatchObject([{ cause: 'events_lost', cpu: null }]);
    expect(losses[0]?.count).toBeGreaterThan(1000);
  });

  it('refuses lines that the module does not print, and says so when it is unloaded', async () => {
    const [first] = irqs.split(',');
    const running = guest.start([
      ...CLI,
      'trace',
      'eth0',
      '--interrupts',
      '--method',
      'printk',
      '--format',
      'ndjson',
    ]);
    for await (const line of running.lines()) if (line.startsWith('{"type":"meta"')) break;
    await guest.shell('/run/rxlab/busybox rmmod irq_printk');
    const { code, stderr } = await running.wait();
    expect([code, stderr]).toEqual([1, expect.stringMatching(/RXS_NO_METHOD: .*the module was unloaded/)]);
    await guest.shell(`/run/rxlab/busybox insmod ${module} irq=${first}`);
    const other = await guest.run([...CLI, 'trace', 'eth0', '--interrupts', '--method', 'printk']);
    expect([other.code, other.stderr]).toEqual([
      1,
      expect.stringMatching(/RXS_NO_METHOD: .*not of \d+: load it with irq=/),
    ]);
    const refused = await guest.run(['/run/rxlab/busybox', 'insmod', module]);
    expect(refused.code).not.toBe(0);
  });
});
