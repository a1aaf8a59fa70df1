/**
 * `rxstamp compare` in a guest, with every method that its kernel has, the module's printk among them: the same interrupts
 * one to one, the same order of earliness each time, and who still sees them beside a slow kprobe program.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Guest } from '../../../lab/guest.js';
import { buildPrintk, compareUnderLoad, loadPrintk } from '../../../lab/methods/run.js';
import type { CompareReport, MethodReport } from '../../../src/compare/report.js';

const COUNT = 2000;
const RUNS = 5;
/** Starting all methods is most of a run, and as slow as the machine. */
const PATIENCE_MS = 600_000;
/** Their programs are run by the kernel whatever else runs on the CPU (docs/methods.md). */
const SAFE = ['ebpf', 'tracepoints'];

const long = process.env['RXSTAMP_LONG'] === '1';
const KERNELS = long ? ['6.1', '6.12', '7'] : ['6.12'];

const lostOf = (lost: Readonly<Record<string, number>>): number =>
  Object.values(lost).reduce((sum, count) => sum + count, 0);

describe.each(KERNELS)('rxstamp compare on %s with a two-queue igb', (kernel) => {
  const guest = new Guest({ kernel, nic: 'igb,queues=2', cpus: 2, lifeTime: 1200 });
  let whole: CompareReport;
  let method: (name: string) => MethodReport;

  beforeAll(async () => {
    const module = await buildPrintk(kernel);
    await guest.boot();
    await loadPrintk(guest, module);
    whole = await compareUnderLoad(guest, [
      '--count',
      String(COUNT),
      '--duration',
      '30s',
      '--rounds',
      '1',
      '--slice',
      '200ms',
    ]);
    method = (name) => whole.methods.find((one) => one.method === name) as MethodReport;
  }, PATIENCE_MS);
  afterAll(() => guest.close());

  it('sees the same interrupts with every live method, one to one', () => {
    expect(whole.interrupts.seen).toBeGreaterThanOrEqual(COUNT * 0.95);
    const compared = whole.methods.filter(({ together }) => together !== undefined);
    expect(compared.map((one) => one.method)).toEqual(
      expect.arrayContaining([
        'ebpf',
        'tracepoints',
        'ebpf-kprobe',
        'driver',
        'kprobe',
        'ftrace',
        'function',
        'perf',
        'printk',
      ]),
    );
    for (const { method: name, together } of compared) {
      // One interrupt at either end of the time may be on one side of the clock's reading only.
      const missing = (together?.missing ?? 0) - lostOf(together?.lost ?? {});
      expect(missing, `${name}: missing, and not counted as lost`).toBeLessThanOrEqual(2);
      // The function tracer sees what the driver's handler answers: transmit queues' interrupts too.
      if (name !== 'function')
        expect(together?.extra, `${name}: stamps of no interrupt`).toBeLessThanOrEqual(2);
    }
  });

  it('orders them by earliness as the hooks lie in the kernel', () => {
    const later = (name: string): number => method(name).together?.later?.median ?? Number.NaN;
    // Entry before the handler's tracepoint, that before the handler itself, all before text is printed.
    for (const [first, second] of [
      ['ebpf', 'tracepoints'],
      ['ebpf', 'driver'],
      ['ebpf', 'ftrace'],
      ['ebpf-kprobe', 'perf'],
    ] as const)
      expect(later(first), `${first} before ${second}`).toBeLessThan(later(second));
  });

  it(
    'is stable: five more runs give the same order',
    async () => {
      const orders: string[] = [];
      for (let run = 0; run < RUNS; run++) {
        const words = ['--count', String(COUNT), '--duration', '30s', '--rounds', '0', '--no-company'];
        const report = await compareUnderLoad(guest, words);
        const medians = report.methods.flatMap(({ method: name, together }) =>
          together?.later === undefined ? [] : [{ name, median: together.later.median }],
        );
        expect(medians.length).toBeGreaterThanOrEqual(9);
        orders.push(
          medians
            .sort((a, b) => a.median - b.median)
            .map(({ name }) => name)
            .join(' < '),
        );
      }
      expect(new Set(orders).size, orders.join('\n')).toBe(1);
    },
    PATIENCE_MS,
  );

  it('beside a slow kprobe program: fentry and raw tracepoints see all, the others’ loss is shown', () => {
    expect(whole.noCompany).toBeUndefined();
    for (const name of SAFE) {
      const { company } = method(name);
      expect(company?.interrupts, name).toBeGreaterThanOrEqual(500);
      expect([name, company?.seen]).toEqual([name, company?.interrupts]);
    }
    const kprobe = method('ebpf-kprobe').company;
    // It loses what comes while the CPU is inside the slow program. The task that calls that has the CPU when nobody else
    // wants it, and must share it with whoever reads the methods: half of the interrupts, now some more, now some less.
    expect(kprobe?.seen).toBeLessThan((kprobe?.interrupts ?? 0) * 0.9);
    expect(whole.verdict.join(' ')).toMatch(/ebpf-kprobe lost \d+ of \d+/);
  });

  it('says how late a packet socket is', () => {
    const socket = whole.packets.find((one) => one.method === 'af_packet');
    expect(socket?.matched).toBeGreaterThan(100);
    expect(socket?.afterDriver?.min).toBeGreaterThanOrEqual(0);
  });

  it('leaves nothing behind', async () => {
    const left = await guest.shell(
      'ls /sys/kernel/tracing/instances; cat /sys/kernel/tracing/kprobe_events; cat /sys/kernel/tracing/dynamic_events 2>/dev/null; ip netns',
    );
    expect(left).not.toMatch(/rxstamp/);
  });
});
