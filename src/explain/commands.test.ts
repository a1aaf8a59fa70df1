import { describe, expect, it } from 'vitest';
import { type ExplainFacts, equivalents } from './commands.js';

const T = '/sys/kernel/tracing';
const facts = (change: Partial<ExplainFacts> = {}): ExplainFacts => ({
  irqs: [
    { irq: 31, place: { cpu: 1, vector: 0x26 } },
    { irq: 32, place: { cpu: 0, vector: 0x27 } },
  ],
  flows: ['handle_edge_irq'],
  handlers: ['igb_msix_ring'],
  kprobes: new Set(['__common_interrupt', 'handle_edge_irq', 'igb_msix_ring']),
  fentries: new Set(['__common_interrupt', 'handle_edge_irq', 'igb_msix_ring']),
  irqOffset: 44,
  listsTypes: true,
  tracefs: T,
  traceClock: 'local',
  fprobes: true,
  functionTracer: true,
  ...change,
});
const ids = (change: Partial<ExplainFacts>): string[] => equivalents(facts(change)).map(({ id }) => id);
const find = (id: string, change: Partial<ExplainFacts> = {}) =>
  equivalents(facts(change)).find((one) => one.id === id);

describe('command lines of other tools', () => {
  it('filter by all wanted interrupts, in each tool’s words', () => {
    expect(find('bpftrace-tracepoint')?.run).toContain('/args->irq == 31 || args->irq == 32/');
    expect(find('perf-tracepoint')?.run).toContain("--filter 'irq==31||irq==32'");
    expect(find('trace-cmd-tracepoint')?.run).toContain("-f 'irq==31||irq==32'");
    expect(find('perf-tools-tpoint')?.run).toContain("'irq==31||irq==32'");
    expect(find('kprobe_events-handle_edge_irq')?.prepare.join('\n')).toContain("echo 'irq==31||irq==32' >");
  });

  it('take a vector only together with its CPU, and only where all are known', () => {
    expect(find('kprobe_events-__common_interrupt')?.prepare.join('\n')).toContain(
      "'(CPU==1&&vector==38)||(CPU==0&&vector==39)'",
    );
    expect(find('bpftrace-kprobe-__common_interrupt')?.run).toContain(
      '(cpu == 1 && arg1 == 38) || (cpu == 0 && arg1 == 39)',
    );
    const unknown = ids({ irqs: [...facts().irqs, { irq: 33, place: undefined }] });
    expect(unknown.filter((id) => id.includes('__common_interrupt'))).toEqual([]);
  });

  it('leave out what the kernel does not take', () => {
    const older = ids({ kprobes: new Set(['handle_edge_irq']), fentries: new Set(), fprobes: false });
    expect(older.filter((id) => /kfunc|fprobe|__common_interrupt|kprobe-igb|events-igb/.test(id))).toEqual(
      [],
    );
    expect(older).toContain('kprobe_events-handle_edge_irq');
    const restricted = ids({
      kprobes: new Set(),
      fentries: new Set(),
      fprobes: false,
      functionTracer: false,
    });
    expect(restricted).toEqual([
      'bpftrace-tracepoint',
      'perf-tracepoint',
      'perf-tools-tpoint',
      'trace-cmd-tracepoint',
      'tracefs-tracepoint',
    ]);
    expect(
      ids({ tracefs: undefined }).filter((id) => /tracefs|kprobe_events|perf-tools|fprobe/.test(id)),
    ).toEqual([]);
    expect(ids({ irqOffset: undefined })).not.toContain('kprobe_events-handle_edge_irq');
    expect(ids({ irqs: [] })).toEqual([]);
  });

  it('read by offset where bpftrace is told no types', () => {
    expect(find('bpftrace-kprobe-handle_edge_irq')?.run).toContain(
      '/((struct irq_desc *)arg0)->irq_data.irq == 31',
    );
    const none = { listsTypes: false };
    expect(find('bpftrace-kprobe-handle_edge_irq', none)?.run).toContain('/(*(uint32*)(arg0+44)) == 31');
    expect(ids(none).filter((id) => id.includes('kfunc'))).toEqual([]);
    expect(ids({ ...none, irqOffset: undefined })).not.toContain('bpftrace-kprobe-handle_edge_irq');
  });

  it('take away all that they put there', () => {
    for (const { prepare, run, read, undo } of equivalents(facts())) {
      const before = prepare.join('\n');
      const after = undo.join('\n');
      for (const [, folder = ''] of before.matchAll(/^mkdir (\S+)$/gm))
        expect(after).toContain(`rmdir ${folder}`);
      for (const [, event = '', file = ''] of before.matchAll(/^echo '[pf]:(\S+) .*' >> (\S+)$/gm))
        expect(after).toContain(`echo '-:${event}' >> ${file}`);
      for (const [, event = ''] of before.matchAll(/perf probe -q -a '(\w+)=/g))
        expect(after).toContain(`perf probe -q -d 'probe:${event}'`);
      for (const [, file = ''] of run.matchAll(/ -o (\S+)$/g)) {
        expect(read.join('\n')).toContain(` -i ${file}`);
        expect(after).toContain(`rm ${file}`);
      }
    }
  });

  it('never write to what all tracers share, but for perf-tools, which say so', () => {
    for (const { tool, prepare, run, undo, caveats } of equivalents(facts())) {
      const text = [...prepare, run, ...undo].join('\n');
      const shared = new RegExp(` > ${T}/(?!instances/)`).test(text);
      expect([tool, shared]).toEqual([tool, tool === 'perf-tools']);
      if (tool === 'perf-tools') expect(caveats.join()).toContain('shared trace buffer');
      if (tool === 'trace-cmd') expect(run).toMatch(/ -B \S+ -C mono /);
    }
  });

  it('put the shared clock back to what it was', () => {
    expect(find('perf-tools-tpoint', { traceClock: 'global' })?.undo).toEqual([
      `echo global > ${T}/trace_clock`,
    ]);
  });

  it('have names of their own, and say what they filter by', () => {
    const all = equivalents(facts());
    expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
    for (const { filters, hook } of all) expect([filters, hook]).not.toContain('');
    for (const { hook, caveats } of all)
      if (hook.startsWith('kprobe')) expect(caveats.join()).toContain('skips kprobes');
  });
});
