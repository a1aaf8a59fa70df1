/**
 * The methods on tracefs, on the interrupts of one queue while another one is as busy. Judges: the kernel's interrupt
 * counters, and trace-cmd, which runs beside and must not notice.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SINK_PORT, sequencePayload, udpFrame } from '../../../lab/frames.js';
import { Guest } from '../../../lab/guest.js';
import { sendCounted, settle } from '../../../lab/trace-in-guest.js';
import type { IrqReport, IrqsDocument } from '../../../src/nic/irq-report.js';
import { interruptCounts } from '../guest-trace.js';
import { differences, sendBusy } from './busy.js';
import { oneToOne, sameRun } from './moments.js';
import { Recorder } from './recorder.js';

const CLI = ['node', 'dist/src/cli/main.js'];
const TRACING = '/sys/kernel/tracing';
const FRAMES = 300;
/** Interrupts that a queue must have had to be busy. */
const BUSY = FRAMES / 8;
/** How often frames are sent, at most, until an interrupt is told at its new place. */
const ROUNDS = 30;

interface InterruptLine {
  readonly type: string;
  readonly time: string;
  readonly irq: number | null;
  readonly vector: number | null;
  readonly cpu: number;
  readonly claim: number | null;
}

interface Seen {
  readonly code: number;
  readonly interrupts: readonly InterruptLine[];
  readonly records: number;
  readonly lost: number;
  readonly notes: string;
  /** By wanted IRQ: interrupts that came while it was listening for certain, and between its start and its end. */
  readonly inner: readonly number[];
  readonly outer: readonly number[];
}

const GUEST = { kernel: '6.12', nic: 'igb,queues=2', cpus: 2 } as const;

/** Flows that each turn another bit of the source port: some go to either queue, whatever the NIC's hash key is. */
const spread = (count: number): Buffer[] =>
  Array.from({ length: count }, (_, index) =>
    udpFrame({
      sourcePort: 20_000 ^ (1 << (index % 15)),
      port: SINK_PORT,
      payload: sequencePayload(index, 64),
    }),
  );

async function shell(guest: Guest, text: string): Promise<string> {
  const { code, stdout, stderr } = await guest.run(['sh', '-c', text]);
  expect(code, `${text}: ${stderr}`).toBe(0);
  return stdout;
}

async function irqsOf(guest: Guest): Promise<readonly IrqReport[]> {
  const { stdout } = await guest.run([...CLI, 'irqs', 'eth0', '--interval', '0', '--json']);
  const document: IrqsDocument = JSON.parse(stdout);
  return document.interfaces[0]?.irqs ?? [];
}

/** The receive interrupts of eth0, each on a CPU of its own, with the flows spread over both. */
async function prepare(guest: Guest): Promise<readonly IrqReport[]> {
  await shell(guest, 'ethtool -N eth0 rx-flow-hash udp4 sdfn');
  const before = await irqsOf(guest);
  for (const { irq } of before) {
    const cpu = irq === before.find(({ queue }) => queue === 1)?.irq ? 1 : 0;
    await shell(guest, `echo ${cpu} > /proc/irq/${irq}/smp_affinity_list`);
  }
  // It moves with its next interrupt, to another vector too.
  const move = async (): Promise<readonly IrqReport[]> => {
    await sendCounted(guest, spread(32), { gapUs: 2000 });
    return (await irqsOf(guest)).filter(({ role }) => role === 'rx');
  };
  const receiving = await settle(move, (all) => all.every(({ vectorCpu }, index) => vectorCpu === index));
  expect(receiving.map(({ vectorCpu }) => vectorCpu)).toEqual([0, 1]);
  return receiving;
}

async function watch(guest: Guest, args: readonly string[], irqs: readonly number[]): Promise<Seen> {
  const outerStart = await interruptCounts(guest, irqs);
  const running = guest.start([...CLI, 'trace', ...args, '--interrupts', '--format', 'ndjson']);
  for await (const line of running.lines()) if (line.includes('"meta"')) break;
  const inner = await sendBusy(guest, irqs, BUSY, () => spread(FRAMES), { gapUs: 1000 });
  running.kill('SIGINT');
  const { code, stdout, stderr } = await running.wait();
  const outerEnd = await interruptCounts(guest, irqs);
  expect(stdout, stderr).not.toBe('');
  const lines = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  const { records, lost } = lines.at(-1);
  return {
    code,
    interrupts: lines.filter(({ type }) => type === 'interrupt'),
    records,
    lost,
    notes: stderr,
    inner,
    outer: differences(outerEnd, outerStart),
  };
}

/** Somebody else's probe, beside ours on the same function. */
const FOREIGN = 'p:foreign/flow handle_edge_irq irq=+44($arg1):u32';

/** What is shared in tracefs, and not rxstamp's. */
const FILES = `trace_clock current_tracer tracing_on trace_options buffer_size_kb set_event kprobe_events dynamic_events \
  events/foreign/enable events/irq/irq_handler_entry/enable events/irq/irq_handler_entry/filter`;
const SHARED = `cd ${TRACING} && grep -v rxstamp_ ${FILES}`;

const shared = new Guest(GUEST);
beforeAll(() => shared.boot());
afterAll(() => shared.close());

describe.each([
  { method: 'kprobe', each: 2 },
  { method: 'fprobe', each: 2 },
  { method: 'ftrace', each: 2 },
])('$method on 6.12, igb', ({ method, each }) => {
  const guest = shared;
  let receiving: readonly IrqReport[] = [];
  let traced: Seen | undefined;
  const judge = { shared: ['', ''], lines: [] as { irq: number; time: bigint }[] };

  beforeAll(async () => {
    receiving = await prepare(guest);
    const irqs = receiving.map(({ irq }) => irq);
    await shell(guest, `echo '${FOREIGN}' >> ${TRACING}/kprobe_events`);
    const filter = irqs.map((irq) => `irq==${irq}`).join('||');
    const events = ['-e', 'irq:irq_handler_entry', '-f', filter, '-e', 'foreign'];
    // It would leave out interrupts that come while its own threads have the CPU (trace-cmd-record(1)).
    const words = ['trace-cmd', 'record', '--no-filter', '-C', 'mono', '-o', '/tmp/trace.dat', ...events];
    const recorder = await Recorder.start(guest, 'trace-cmd', words);
    judge.shared[0] = await shell(guest, SHARED);
    traced = await watch(guest, ['--irq', String(irqs[1]), '--method', method], irqs);
    judge.shared[1] = await shell(guest, SHARED);
    await recorder.end();
    const report = await shell(guest, 'trace-cmd report -t -F irq_handler_entry -i /tmp/trace.dat');
    for (const [, seconds, fraction, irq] of report.matchAll(/ (\d+)\.(\d{9}): .*irq=(\d+)/g))
      judge.lines.push({ irq: Number(irq), time: BigInt(`${seconds}${fraction}`) });
  });
  afterAll(() => shell(guest, `echo '-:foreign/flow' >> ${TRACING}/kprobe_events`));

  it('tells every interrupt of its IRQ that the kernel counted, and none of the other queue', () => {
    const { interrupts, inner, outer, code, lost, records } = traced as Seen;
    expect([code, lost]).toEqual([0, 0]);
    expect(inner[0], 'the other queue was busy too').toBeGreaterThan(BUSY);
    expect(inner[1]).toBeGreaterThan(BUSY);
    expect(new Set(interrupts.map(({ irq }) => irq))).toEqual(new Set([receiving[1]?.irq]));
    expect(interrupts.length).toBeGreaterThanOrEqual(inner[1] as number);
    expect(interrupts.length).toBeLessThanOrEqual(outer[1] as number);
    // What left the kernel: its events, and at either end of the trace one that had no partner.
    expect(Math.abs(records - each * interrupts.length)).toBeLessThanOrEqual(2);
  });

  it('tells the same interrupts as trace-cmd, one to one', () => {
    const { interrupts } = traced as Seen;
    const own = judge.lines.filter(({ irq }) => irq === receiving[1]?.irq);
    const mine = interrupts.map(({ time }) => Number(time));
    const stamps = own.map(({ time }) => Number(time));
    const theirs = sameRun(mine, stamps);
    oneToOne(mine, theirs);
    // trace-cmd stamps the handler: behind the entry, and in its own order beside ftrace's.
    const early = mine.filter((time, index) => time < (theirs[index] as number));
    if (method !== 'ftrace') expect(early, 'the entry comes before the handler').toEqual(mine);
  });

  it('has the vector and the flow handler behind the entry', () => {
    if (method === 'ftrace') return;
    const { interrupts } = traced as Seen;
    const told = interrupts.filter(({ vector }) => vector !== null);
    expect(told.length).toBeGreaterThan(interrupts.length * 0.9);
    expect(new Set(told.map(({ vector }) => vector))).toEqual(new Set([receiving[1]?.vector]));
    for (const { claim } of told) expect(claim).toBeGreaterThan(0);
  });

  it('leaves a trace-cmd that runs beside as it was', () => {
    expect(judge.shared[1]).toBe(judge.shared[0]);
    expect(judge.shared[0]).toContain('foreign/flow');
    const { inner } = traced as Seen;
    for (const [index, { irq }] of receiving.entries()) {
      const seen = judge.lines.filter((line) => line.irq === irq).length;
      expect(seen).toBeGreaterThanOrEqual(inner[index] as number);
    }
  });

  it('follows its interrupt to another CPU', async () => {
    const irq = receiving[1]?.irq as number;
    const running = guest.start([
      ...CLI,
      'trace',
      '--irq',
      String(irq),
      '--interrupts',
      '--format',
      'ndjson',
      '--method',
      method,
    ]);
    for await (const line of running.lines()) if (line.includes('"meta"')) break;
    const interrupts: InterruptLine[] = [];
    const listen = async (): Promise<void> => {
      for await (const text of running.lines()) {
        const line: InterruptLine = JSON.parse(text);
        if (line.type === 'interrupt') interrupts.push(line);
      }
    };
    const listening = listen();
    await sendCounted(guest, spread(60), { gapUs: 1000 });
    await shell(guest, `echo 0 > /proc/irq/${irq}/smp_affinity_list`);
    // It moves with its next interrupt, and its vector is known when the reader has seen one at the new place.
    const arrived = (): boolean =>
      interrupts.some(({ cpu, vector }) => cpu === 0 && (method === 'ftrace' || vector !== null));
    for (let round = 0; round < ROUNDS && !arrived(); round++)
      await sendCounted(guest, spread(40), { gapUs: 2000 });
    await sendCounted(guest, spread(40), { gapUs: 2000 });
    running.kill('SIGINT');
    await running.wait();
    await listening;
    const places = interrupts.map(({ cpu, vector }) => `${cpu}/${vector}`);
    expect(new Set(interrupts.map(({ cpu }) => cpu))).toEqual(new Set([0, 1]));
    if (method === 'ftrace') return;
    const { stdout } = await guest.run([...CLI, 'irqs', '--irq', String(irq), '--interval', '0', '--json']);
    const now: IrqsDocument = JSON.parse(stdout);
    const vector = now.interfaces[0]?.irqs[0]?.vector;
    expect(places.at(-1), 'the filter was written anew').toBe(`0/${vector}`);
  });
});

describe('function on 6.12, igb', () => {
  const guest = shared;
  let receiving: readonly IrqReport[] = [];
  beforeAll(async () => {
    receiving = await prepare(guest);
  });

  it('tells the line where only one goes to the CPU, and else that it does not know', async () => {
    const irqs = receiving.map(({ irq }) => irq);
    const { interrupts, inner, outer, code, notes } = await watch(
      guest,
      ['eth0', '--method', 'function'],
      irqs,
    );
    expect(code).toBe(0);
    // Only the second queue's interrupt goes to CPU 1.
    const certain = interrupts.filter(({ cpu }) => cpu === 1);
    expect(new Set(certain.map(({ irq }) => irq))).toEqual(new Set([irqs[1]]));
    expect(certain.length).toBeGreaterThanOrEqual(inner[1] as number);
    expect(certain.length).toBeLessThanOrEqual(outer[1] as number);
    const others = interrupts.filter(({ cpu }) => cpu === 0);
    expect(new Set(others.map(({ irq }) => irq))).toEqual(new Set([null]));
    expect(others.length).toBeGreaterThanOrEqual(inner[0] as number);
    expect(notes).toMatch(new RegExp(`igb_msix_ring handles IRQ .*certain.*IRQ ${irqs[1]} on CPU 1`));
  });
});

describe('what a killed run leaves, on 6.12', () => {
  const guest = shared;
  let receiving: readonly IrqReport[] = [];
  beforeAll(async () => {
    receiving = await prepare(guest);
  });

  const left = async (): Promise<readonly string[]> => {
    const list = `ls ${TRACING}/instances; sed -n 's/^[a-z]:\\([^ ]*\\).*/\\1/p' ${TRACING}/dynamic_events`;
    return (await shell(guest, list)).split('\n').filter((name) => name.includes('rxstamp_'));
  };

  it('is gone at the next start, 20 times over, and `cleanup` takes the last of it', async () => {
    await shell(
      guest,
      `mkdir ${TRACING}/instances/foreign; echo 'p:foreign/x do_exit' >> ${TRACING}/kprobe_events`,
    );
    const methods = ['kprobe', 'fprobe', 'ftrace', 'function'];
    for (let run = 0; run < 20; run++) {
      const method = methods[run % methods.length] as string;
      const target = method === 'function' ? ['eth0'] : ['--irq', String(receiving[0]?.irq)];
      const running = guest.start([
        ...CLI,
        'trace',
        ...target,
        '--interrupts',
        '--format',
        'ndjson',
        '--method',
        method,
      ]);
      for await (const line of running.lines()) if (line.includes('"meta"')) break;
      const names = await left();
      // Its own, and nothing of the one before.
      expect(new Set(names.map((name) => /rxstamp_(\d+_\d+)_/.exec(name)?.[1])).size, names.join()).toBe(1);
      await guest.injector.send(spread(20), { gapUs: 500 });
      running.kill('SIGKILL');
      const { stderr } = await running.wait();
      if (run > 0) expect(stderr).toContain('which a run that was killed had left');
    }
    const names = await left();
    expect(names.length).toBeGreaterThan(0);
    const listed = await guest.run([...CLI, 'cleanup', '--dry-run']);
    for (const name of names) expect(listed.stdout).toContain(name);
    expect(await left()).toEqual(names);
    const cleaned = await guest.run([...CLI, 'cleanup']);
    expect(cleaned.code, cleaned.stdout).toBe(0);
    expect(await left()).toEqual([]);
    expect((await guest.run([...CLI, 'cleanup'])).stdout).toBe('nothing was left behind\n');
    const foreign = await shell(guest, `ls ${TRACING}/instances; cat ${TRACING}/kprobe_events`);
    expect(foreign).toContain('p:foreign/x do_exit');
    expect(foreign.split('\n')[0]).toBe('foreign');
  });
});
