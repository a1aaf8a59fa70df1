/** Ways of listening, explained and chosen, on this machine as it is; and the stack of an interrupt. */
import { spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { describe, expect, it } from 'vitest';
import { CODES } from '../../src/base/errors.js';
import { resolveNic } from '../../src/nic/resolve.js';
import type { ExplainDocument } from '../../src/explain/text.js';
import { cannotTrace, ownNic, titled } from './needs.js';
import { RunningTrace, commandLine, linesOf } from './trace.js';

function rxstamp(...args: string[]): { code: number | null; stdout: string; stderr: string } {
  const [program, ...words] = commandLine(args);
  const done = spawnSync(program, words, { encoding: 'utf8', timeout: 30_000 });
  return { code: done.status, stdout: done.stdout, stderr: done.stderr };
}

/** Sends datagrams to a free port of this machine's own loopback. @returns the port */
async function sendToLoopback(count: number): Promise<number> {
  const socket = createSocket('udp4');
  const target = createSocket('udp4');
  await new Promise<void>((resolve) => target.bind(0, '127.0.0.1', resolve));
  const { port } = target.address();
  for (let i = 0; i < count; i++)
    await new Promise<void>((resolve, reject) =>
      socket.send('x', port, '127.0.0.1', (error) => (error ? reject(error) : resolve())),
    );
  socket.close();
  target.close();
  return port;
}

interface Way {
  readonly stage: string;
  readonly hook?: string;
  readonly reasons: readonly string[];
}
const waysOf = (stdout: string): Way[] =>
  (JSON.parse(stdout.split('\n', 1)[0] as string) as { ways: Way[] }).ways;

describe.skipIf(cannotTrace !== undefined)(titled('ways of listening', cannotTrace), () => {
  it('tracepoints alone see the packets that the default sees', async () => {
    const traces = await Promise.all(
      ['ebpf', 'tracepoints'].map((method) =>
        new RunningTrace(['lo', '--method', method, '--format', 'ndjson', '--until', 'stack']).ready(),
      ),
    );
    const port = await sendToLoopback(50);
    const ended = await Promise.all(traces.map((trace) => trace.interrupt()));
    const ours = ended.map(({ stdout }) =>
      linesOf(stdout)
        .filter(({ type, flow }) => type === 'packet' && flow.destinationPort === port)
        .map(({ length, stages }) => [length, Object.keys(stages)]),
    );
    expect(ours[0]).toHaveLength(50);
    expect(ours[1]).toEqual(ours[0]);
    expect(ended.map(({ code }) => code)).toEqual([0, 0]);
    const hooks = waysOf(ended[1]?.stdout ?? '').flatMap(({ hook }) => hook ?? []);
    expect(hooks.filter((hook) => !hook.startsWith('tracepoint'))).toEqual([]);
  });

  it('a way that needs interrupts says that there are none', () => {
    const { code, stderr } = rxstamp('trace', 'lo', '--method', 'ebpf-kprobe', '--duration', '200ms');
    expect(stderr).toMatch(/^RXS_NO_METHOD: /);
    expect(code).toBe(CODES.RXS_NO_METHOD);
    const driver = rxstamp('trace', 'lo', '--method', 'driver', '--duration', '200ms');
    expect(driver.stderr).toMatch(/RXS_USAGE: .*interrupts only/);
  });

  it('are explained without interrupts, where there are none', () => {
    const { code, stdout } = rxstamp('explain', 'lo', '--json');
    expect(code).toBe(0);
    const document = JSON.parse(stdout) as ExplainDocument;
    expect(document).toMatchObject({ interfaces: [{ name: 'lo', irqs: [] }], equivalents: [] });
    expect(document.notes).toEqual([expect.stringContaining('without interrupts')]);
  });

  it('refuse what they cannot be asked', () => {
    expect(rxstamp('explain', 'nosuch0').stderr).toMatch(/^RXS_NO_IFACE/);
    expect(rxstamp('stack', 'lo').stderr).toMatch(/^RXS_USAGE: taking the stack of an interrupt of lo: /);
    expect(rxstamp('stack', '--wait', 'soon').stderr).toMatch(/^RXS_USAGE: reading --wait/);
    expect(rxstamp('stack', '--irq', '4000').stderr).toMatch(/^RXS_NO_IRQ/);
  });
});

const noNic = cannotTrace ?? (ownNic === undefined ? 'needs a NIC with interrupts of its own' : undefined);

describe.skipIf(noNic !== undefined)(titled('on the own NIC', noNic), () => {
  const { name, irqs } = ownNic ?? { name: '', irqs: [] };
  const others = ownNic === undefined ? [] : resolveNic(name).irqs;
  const silent = others.find(({ role, count }) => role === 'other' && count === 0);

  it('explain gives the hooks that a trace uses, and the reasons against others', async () => {
    const document = JSON.parse(rxstamp('explain', name, '--json').stdout) as ExplainDocument;
    const trace = await new RunningTrace([name, '--format', 'ndjson']).ready();
    const { stdout } = await trace.interrupt();
    const used = waysOf(stdout).filter(({ stage }) => stage !== 'hw');
    expect(document.stages.map(({ stage, hook, reasons }) => [stage, hook ?? undefined, reasons])).toEqual(
      used.map(({ stage, hook, reasons }) => [stage, hook, reasons]),
    );
  });

  it('explain has command lines for its interrupts, each naming all of them', () => {
    const { equivalents } = JSON.parse(rxstamp('explain', name, '--json').stdout) as ExplainDocument;
    const lines = equivalents.filter(({ hook }) => hook.startsWith('tracepoint'));
    expect(lines.length).toBeGreaterThanOrEqual(4);
    for (const { prepare, run } of lines)
      for (const irq of irqs) expect([...prepare, run].join('\n')).toMatch(new RegExp(`irq ?== ?${irq}\\b`));
  });

  it.skipIf(silent === undefined)('stack says so when no interrupt comes', () => {
    const { code, stderr } = rxstamp('stack', '--irq', String(silent?.irq), '--wait', '200ms');
    expect(stderr).toMatch(
      new RegExp(`^RXS_NO_INTERRUPT: waiting for IRQ ${silent?.irq}: none came within 0.2 s`),
    );
    expect(code).toBe(CODES.RXS_NO_INTERRUPT);
  });
});
