import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Hook, STAGES, STAGE_NAMES, type StageName, stageIndex } from '../../stages.js';
import type { HookProbe } from '../../feature/hooks.js';
import { type Plan, type PlanRequest, plan } from './plan.js';

const REFUSED = 'EPERM: this kernel refuses fentry programs';
const ABSENT = 'not a function of this kernel';
const all: HookProbe = () => ({ possible: 'yes', reason: '' });
const restricted: HookProbe = (hook) =>
  hook.kind === 'fentry' ? { possible: 'no', reason: REFUSED } : { possible: 'yes', reason: '' };
const none: HookProbe = () => ({ possible: 'no', reason: 'not here' });
const without =
  (...targets: string[]): HookProbe =>
  (hook) =>
    targets.includes(hook.target) ? { possible: 'no', reason: ABSENT } : { possible: 'yes', reason: '' };
const request = (change: Partial<PlanRequest> = {}): PlanRequest => ({
  until: 'driver',
  hasIrqs: true,
  interrupts: false,
  irqThreads: false,
  ...change,
});
const sorted = (chosen: Plan): string[] => [...chosen.programs].sort();
const way = (chosen: Plan, stage: StageName) => chosen.ways.find((one) => one.stage === stage);
const PACKETS = ['packet_frags', 'packet_gro', 'packet_list', 'packet_netif_rx', 'packet_receive'];

describe('a full kernel', () => {
  const chosen = plan(request(), all, true);

  it('is stamped from interrupt entry on, without a hook on the handler’s exit', () => {
    expect(sorted(chosen)).toEqual(
      `irq_enter isr_claim irq_moved napi_prep softirq_entry napi_poll_start napi_poll_end ${PACKETS.join(' ')}`
        .split(' ')
        .sort(),
    );
    expect(chosen).toMatchObject({
      entryHooked: true,
      prepHooked: true,
      exitHooked: false,
      softirqExitHooked: false,
    });
  });

  it('gives no reasons: every stage has its best way', () => {
    expect(chosen.ways.map((one) => one.stage)).toEqual(
      STAGE_NAMES.slice(stageIndex('entry'), stageIndex('driver') + 1),
    );
    for (const one of chosen.ways) expect(one).toMatchObject({ reasons: [], hook: expect.any(String) });
  });

  it('needs the exits where the preempt count cannot be read', () => {
    expect(plan(request(), all, false)).toMatchObject({ exitHooked: true, softirqExitHooked: true });
    expect(sorted(plan(request(), all, false))).toEqual(expect.arrayContaining(['isr_exit', 'softirq_exit']));
  });

  it('attaches less where less is asked for, but ties interrupts to their NAPI all the same', () => {
    const until = plan(request({ until: 'entry' }), all, true);
    expect(sorted(until)).toEqual(
      [
        'irq_enter',
        'isr_claim',
        'irq_moved',
        'napi_poll_end',
        'napi_poll_start',
        'napi_prep',
        ...PACKETS,
      ].sort(),
    );
  });

  it('claims the entry where the vector comes in when it cannot do so at the handler', () => {
    for (const [probe, preempt] of [
      [all, false],
      [without('vector_update'), true],
      [without('napi_schedule_prep'), true],
    ] as const) {
      const other = plan(request(), probe, preempt);
      expect(other.programs).toEqual(expect.arrayContaining(['irq_enter', 'irq_vector', 'isr_entry']));
      expect(other.programs).not.toContain('isr_claim');
      expect(way(other, 'entry')).toMatchObject({
        hook: 'fentry irq_enter_rcu, claimed by __common_interrupt',
        reasons: [expect.stringMatching(/preempt count|vector_update|napi_schedule_prep/)],
      });
    }
  });

  it('ends an interrupt by its exit when there is a record per interrupt', () => {
    const entries = plan(request({ until: 'entry', interrupts: true }), all, true);
    expect(entries.exitHooked).toBe(false);
    expect(sorted(entries)).toEqual(['irq_enter', 'irq_vector']);
    const handlers = plan(request({ until: 'stack', interrupts: true }), all, true);
    expect(handlers.exitHooked).toBe(true);
    expect(sorted(handlers)).toEqual(['irq_enter', 'irq_vector', 'isr_entry', 'isr_exit', 'napi_prep']);
  });

  it('stamps the stack only when asked', () => {
    expect(plan(request({ until: 'stack' }), all, true).programs).toContain('stack_core');
    expect(chosen.programs).not.toContain('stack_core');
  });
});

describe('a machine that handles interrupts in threads', () => {
  const THREADS = ['irq_thread_forced', 'irq_thread_own', 'irq_wake_thread'];

  it('follows them from the hard interrupt through its thread', () => {
    const chosen = plan(request({ irqThreads: true }), all, true);
    expect(chosen.threadsHooked).toBe(true);
    expect(chosen.programs).toEqual(expect.arrayContaining(THREADS));
    // Before the poll's end: an interrupt that was not followed must not make a poll look causeless.
    expect(chosen.programs.indexOf('irq_wake_thread')).toBeLessThan(chosen.programs.indexOf('napi_poll_end'));
  });

  it('is not followed where a hook is missing, and nowhere else', () => {
    for (const probe of [restricted, without('irq_thread_fn'), without('irq_forced_thread_fn')]) {
      const chosen = plan(request({ irqThreads: true }), probe, true);
      expect(chosen.threadsHooked).toBe(false);
      for (const program of THREADS) expect(chosen.programs).not.toContain(program);
    }
    expect(plan(request(), all, true).threadsHooked).toBe(false);
  });
});

describe('where a poll runs', () => {
  it('is told by the preempt count at its start, else by both ends of the softirq', () => {
    expect(plan(request({ until: 'entry' }), all, true).softirqExitHooked).toBe(false);
    for (const [probe, preempt] of [
      [without('__napi_poll'), true],
      [all, false],
    ] as const) {
      const chosen = plan(request({ until: 'entry' }), probe, preempt);
      expect(chosen.softirqExitHooked).toBe(true);
      expect(chosen.programs).toEqual(expect.arrayContaining(['softirq_entry', 'softirq_exit']));
    }
  });
});

describe('the ladder behind the driver', () => {
  const later = (until: StageName, probe = all, preempt = true): Plan =>
    plan(request({ until, hasIrqs: false }), probe, preempt);
  const added = (until: StageName, before: StageName): string[] =>
    sorted(later(until)).filter((program) => !later(before).programs.includes(program));

  it('is followed only where it is asked for', () => {
    expect([chosenFor('driver'), chosenFor('stack')]).toEqual([false, true]);
    function chosenFor(until: StageName): boolean {
      return later(until).tracked;
    }
  });

  it('attaches stage by stage what is needed', () => {
    expect(added('ip', 'stack')).toEqual(['ip_v4_core', 'ip_v6_core']);
    expect(added('transport', 'ip').every((program) => program.startsWith('transport_'))).toBe(true);
    expect(added('socket', 'transport')).toEqual(
      'merge_backlog socket_other socket_tcp socket_tcp_done socket_tcp_slow socket_udp socket_udp_done socket_woken'.split(
        ' ',
      ),
    );
    // Whatever is not read must be seen to end otherwise.
    expect(added('read', 'socket')).toEqual(
      ['close_tcp', 'close_unaccepted', 'consumed', 'drop', 'forwarded', 'read_tcp', 'read_udp'].sort(),
    );
    expect(added('drop', 'read')).toEqual([]);
    expect(later('read').ways.at(-1)?.stage).toBe('read');
  });

  it('attaches the last stage first, and each program once', () => {
    for (const probe of [all, restricted]) {
      const { programs } = later('drop', probe);
      expect(new Set(programs).size).toBe(programs.length);
      expect(programs.indexOf('drop')).toBeLessThan(programs.indexOf('stack_core'));
      expect(programs.indexOf('stack_core')).toBeLessThan(programs.indexOf('packet_gro'));
    }
  });

  it('does without a helper, and says what is not known then', () => {
    const lacking = later('socket', without('tcp_data_queue'));
    expect(lacking.programs).not.toContain('socket_tcp_slow');
    expect(way(lacking, 'socket')?.reasons).toEqual([
      `fentry tcp_data_queue: ${ABSENT}: TCP segments that came out of order are not stamped`,
    ]);
    const old = later('socket', all, false);
    expect(old.programs).not.toContain('socket_woken');
    expect(way(old, 'socket')?.reasons.join()).toMatch(/^tracepoint sched_waking: .*preempt count.*woken/);
  });

  it('is TCP’s where functions cannot be hooked; what frees datagrams is asked once', () => {
    const { programs, ways } = later('drop', restricted);
    for (const program of ['transport_probe', 'socket_ready', 'read_tcp', 'released', 'drop'])
      expect(programs).toContain(program);
    expect(programs).not.toContain('consumed');
    expect(ways.filter((one) => one.hook === undefined).map((one) => one.stage)).toEqual(['ip']);
  });
});

describe('a kernel that refuses fentry', () => {
  const chosen = plan(request(), restricted, true);

  it('is stamped from the handler on, with both exits', () => {
    expect(sorted(chosen)).toEqual(
      `isr_entry isr_exit softirq_raise softirq_entry softirq_exit napi_poll_end ${PACKETS.join(' ')}`
        .split(' ')
        .sort(),
    );
    expect(chosen).toMatchObject({
      entryHooked: false,
      prepHooked: false,
      exitHooked: true,
      softirqExitHooked: true,
    });
  });

  it('names each function once, under one reason', () => {
    expect(way(chosen, 'entry')).toEqual({
      stage: 'entry',
      hook: undefined,
      reasons: [
        `fentry irq_enter_rcu, napi_schedule_prep, __common_interrupt, handle_edge_irq, handle_fasteoi_irq: ${REFUSED}`,
      ],
    });
    expect(way(chosen, 'poll')?.hook).toBeUndefined();
    expect(way(chosen, 'raise')).toEqual({
      stage: 'raise',
      hook: 'tracepoint softirq_raise inside the handler',
      reasons: [`fentry napi_schedule_prep: ${REFUSED}`],
    });
  });
});

describe('a kernel like 5.10', () => {
  const chosen = plan(request(), without('__common_interrupt', '__napi_poll'), false);

  it('claims the entry in the flow handlers, and says why not at the vector', () => {
    expect([...chosen.programs]).toEqual(expect.arrayContaining(['irq_enter', 'irq_edge', 'irq_fasteoi']));
    expect(chosen.programs).not.toContain('irq_vector');
    expect(way(chosen, 'entry')).toMatchObject({
      hook: 'fentry irq_enter_rcu, claimed by the flow handler',
      reasons: [
        'tracepoint irq_handler_entry: programs cannot read the preempt count of this kernel',
        `fentry __common_interrupt: ${ABSENT}`,
      ],
    });
  });

  it('stamps no poll, and ends the softirq’s stamp by its exit', () => {
    expect(way(chosen, 'poll')).toEqual({
      stage: 'poll',
      hook: undefined,
      reasons: [`fentry __napi_poll: ${ABSENT}`],
    });
    expect(chosen).toMatchObject({ prepHooked: true, softirqExitHooked: true });
  });
});

describe('a kernel without the hooks', () => {
  it('has no way for any stage and says why for each', () => {
    const chosen = plan(request({ until: 'stack' }), none, true);
    for (const one of chosen.ways) expect(one.hook, one.stage).toBeUndefined();
    for (const one of chosen.ways) expect(one.reasons.join(), one.stage).toContain('not here');
  });

  it('keeps one packet hook when one of them is there', () => {
    const only: HookProbe = (hook) =>
      hook.target === 'netif_rx_entry' ? { possible: 'yes', reason: '' } : { possible: 'no', reason: 'gone' };
    const chosen = plan(request({ hasIrqs: false }), only, true);
    expect(sorted(chosen)).toEqual(['packet_netif_rx']);
    expect(way(chosen, 'driver')?.hook).toBeDefined();
  });

  it('tries what could not be told', () => {
    const unsure: HookProbe = () => ({ possible: 'unknown', reason: 'could not tell' });
    expect(sorted(plan(request(), unsure, true))).toEqual(sorted(plan(request(), all, true)));
  });
});

describe('an interface without interrupts', () => {
  it('is stamped at the driver stage only', () => {
    const chosen = plan(request({ hasIrqs: false }), all, true);
    expect(sorted(chosen)).toEqual([...PACKETS].sort());
    expect(chosen.ways.map((one) => one.stage)).toEqual(['driver']);
    expect(chosen).toMatchObject({
      entryHooked: false,
      prepHooked: false,
      exitHooked: false,
      softirqExitHooked: false,
    });
  });

  it('and above it on request', () => {
    expect(sorted(plan(request({ hasIrqs: false, until: 'stack' }), all, true))).toEqual(
      [...PACKETS, 'stack_core', 'merge_gro', 'merge_gro_list'].sort(),
    );
  });
});

describe('any kernel', () => {
  const hooks: readonly Hook[] = STAGES.flatMap((stage) => stage.ways.flatMap((one) => [...one.hooks]));
  // irq_handler_*, softirq_* and napi_poll are tracepoints of every kernel with BTF: not asked for.
  const doubtful = [...new Set(hooks.map((hook) => hook.target))].filter(
    (target) => !/^irq_h|^softirq/.test(target),
  );
  const requests = fc.record({
    until: fc.constantFrom(...STAGE_NAMES),
    hasIrqs: fc.boolean(),
    interrupts: fc.boolean(),
    irqThreads: fc.boolean(),
    hardware: fc.constantFrom(undefined, { hook: 'NIC', reasons: [] }, { hook: undefined, reasons: ['off'] }),
  });

  it('never gets a program whose hook it lacks', () => {
    fc.assert(
      fc.property(requests, fc.boolean(), fc.subarray(doubtful), (asked, preempt, lacks) => {
        const { programs } = plan(asked, without(...lacks), preempt);
        const lacking = hooks.filter((hook) => lacks.includes(hook.target)).map((hook) => hook.program);
        expect(lacking.filter((program) => programs.includes(program))).toEqual([]);
      }),
    );
  });

  it('lists its stages in path order, each with a hook or a reason', () => {
    fc.assert(
      fc.property(requests, fc.boolean(), fc.subarray(doubtful), (asked, preempt, lacks) => {
        const { ways } = plan(asked, without(...lacks), preempt);
        const indexes = ways.map((one) => stageIndex(one.stage));
        expect(indexes).toEqual(indexes.toSorted((a, b) => a - b));
        expect(ways.filter((one) => one.hook === undefined && one.reasons.length === 0)).toEqual([]);
      }),
    );
  });
});
