import { describe, expect, it } from 'vitest';
import { type StageName, stageIndex } from '../../stages.js';
import { type Flavour, TRACEPOINTS, onKprobe, onKprobes } from './flavour.js';
import type { HookProbe } from '../../feature/hooks.js';
import { type Plan, type PlanRequest, plan } from './plan.js';

const all: HookProbe = () => ({ possible: 'yes', reason: '' });
const request = (change: Partial<PlanRequest> = {}): PlanRequest => ({
  until: 'driver',
  hasIrqs: true,
  interrupts: false,
  irqThreads: false,
  ...change,
});
/** As the session asks: on a kernel that has everything and whose preempt count can be read. */
const planned = (flavour: Flavour, asked: PlanRequest, kernel = all): Plan =>
  flavour.finish(plan(asked, flavour.probe(kernel), flavour.trustsPreemptCount));
const way = (chosen: Plan, stage: StageName) => chosen.ways.find((one) => one.stage === stage);

describe('tracepoints alone', () => {
  it('stamps from the handler on, and says that the functions were left out by choice', () => {
    const chosen = planned(TRACEPOINTS, request());
    expect(way(chosen, 'entry')).toMatchObject({ hook: undefined });
    expect(way(chosen, 'entry')?.reasons.join()).toContain('not used by --method tracepoints');
    expect(way(chosen, 'isr')).toMatchObject({ hook: 'tracepoint irq_handler_entry', reasons: [] });
    expect(chosen).toMatchObject({ entryHooked: false, prepHooked: false, exitHooked: true });
  });

  it('attaches the programs that a kernel without functions to hook would get', () => {
    const restricted: HookProbe = (hook) =>
      hook.kind === 'tp_btf' ? all(hook) : { possible: 'no', reason: 'EPERM' };
    for (const until of ['driver', 'stack', 'read'] as const) {
      const same = plan(request({ until }), restricted, true).programs;
      expect(planned(TRACEPOINTS, request({ until })).programs).toEqual(same);
    }
  });
});

describe('kprobes', () => {
  const kprobes = onKprobes(() => undefined);
  const chosen = planned(kprobes, request());

  it('takes the programs of the interrupt from kprobes, all others from tracepoints', () => {
    expect(chosen.programs.filter(onKprobe).sort()).toEqual([
      'irq_enter_kprobe',
      'irq_vector_kprobe',
      'napi_prep_kprobe',
    ]);
    expect(way(chosen, 'entry')?.hook).toBe('kprobe irq_enter_rcu, claimed by __common_interrupt');
    expect(way(chosen, 'raise')?.hook).toBe('kprobe napi_schedule_prep');
  });

  it('ends every interrupt by a tracepoint, so that a skipped hit leaves nothing behind', () => {
    expect(chosen.programs).toEqual(expect.arrayContaining(['isr_exit', 'softirq_entry', 'softirq_exit']));
    expect(chosen).toMatchObject({ exitHooked: true, softirqExitHooked: true });
  });

  it('has no kprobe on the start of a poll, and says why', () => {
    expect(chosen.startHooked).toBe(false);
    expect(way(chosen, 'poll')).toMatchObject({ hook: undefined });
    expect(way(chosen, 'poll')?.reasons.join()).toMatch(/kprobe __napi_poll: a skipped hit/);
  });

  it('follows interrupts through their threads', () => {
    const threads = planned(kprobes, request({ irqThreads: true }));
    expect(threads.threadsHooked).toBe(true);
    expect(threads.programs).toEqual(
      expect.arrayContaining(['irq_thread_forced_kprobe', 'irq_thread_own_kprobe', 'irq_wake_thread']),
    );
  });

  it('falls back to the flow handler where the kernel takes no kprobe on the entry (5.10)', () => {
    const older = onKprobes((target) => (target === '__common_interrupt' ? 'inlined' : undefined));
    const found = planned(older, request());
    expect(way(found, 'entry')).toMatchObject({
      hook: 'kprobe irq_enter_rcu, claimed by the flow handler',
      reasons: [
        'tracepoint irq_handler_entry: a skipped hit on the entry would leave it the stamp of another interrupt',
        'kprobe __common_interrupt: inlined',
      ],
    });
    expect(found.programs).toEqual(expect.arrayContaining(['irq_edge_kprobe', 'irq_fasteoi_kprobe']));
  });

  it('is nothing but tracepoints where the kernel takes none', () => {
    const none = planned(
      onKprobes(() => 'no kprobes'),
      request(),
    );
    expect(none.programs.filter(onKprobe)).toEqual([]);
  });

  it('stamps no function behind the driver stage', () => {
    const further = planned(kprobes, request({ until: 'socket' }));
    for (const { stage, hook } of further.ways)
      if (stageIndex(stage) > stageIndex('driver')) expect(hook ?? '').not.toMatch(/kprobe|fentry/);
  });

  it('is one record per interrupt with --interrupts too', () => {
    const interrupts = planned(kprobes, request({ interrupts: true, until: 'raise' }));
    expect(interrupts.programs).toEqual(
      expect.arrayContaining(['irq_enter_kprobe', 'irq_vector_kprobe', 'isr_entry', 'isr_exit']),
    );
  });
});
