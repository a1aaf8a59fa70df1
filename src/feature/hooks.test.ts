import { describe, expect, it } from 'vitest';
import { HOOKED_STAGES } from '../stages.js';
import type { Capability } from '../sys/caps.js';
import { type HookDoor, hookProbe, hookReport, wayReason, withPreemptCount } from './hooks.js';

const ALL = new Set<Capability>(['CAP_BPF', 'CAP_PERFMON']);
const fentry = (target: string) => ({ kind: 'fentry', target, program: 'p' }) as const;

/** A kernel where everything works, with changes. */
function door(changes: Partial<HookDoor> = {}): HookDoor {
  return {
    functionId: () => 7,
    hasTracepoint: () => true,
    tryFentry: () => undefined,
    tryTracepoint: () => undefined,
    errnoText: (errno) => ({ 1: 'EPERM', 16: 'EBUSY' })[errno] ?? `errno ${errno}`,
    capabilities: ALL,
    config: undefined,
    ...changes,
  };
}

const tryFentry = () => ({ step: 'attach', errno: 16 }) as const;

describe('a hook', () => {
  it('on a function is possible when the trial program attaches', () => {
    expect(hookProbe(door())(fentry('ip_rcv'))).toEqual({ possible: 'yes', reason: '' });
  });

  it('on a function that is not in BTF is not possible, and nothing is tried', () => {
    const probe = hookProbe(door({ functionId: () => -2, tryFentry: () => expect.fail('tried') }));
    expect(probe(fentry('do_IRQ')).reason).toMatch(/not a function of this kernel/);
  });

  it('without capabilities could not be told, and is not tried', () => {
    const probe = hookProbe(
      door({ capabilities: new Set(['CAP_BPF']), tryFentry: () => expect.fail('tried') }),
    );
    expect(probe(fentry('ip_rcv'))).toEqual({ possible: 'unknown', reason: 'needs CAP_PERFMON to try' });
  });

  it('that is refused on loading with the capabilities there is a policy, not a missing privilege', () => {
    const probe = hookProbe(door({ tryFentry: () => ({ step: 'load', errno: 1 }) }));
    expect(probe(fentry('ip_rcv')).reason).toMatch(
      /^EPERM: the kernel refuses programs on functions although/,
    );
  });

  it('that has no patchable entry is explained by the configuration where it is known', () => {
    const off = hookProbe(door({ tryFentry, config: new Map([['CONFIG_FUNCTION_TRACER', 'n']]) }));
    expect(off(fentry('ip_rcv')).reason).toBe(
      'EBUSY: functions have no patchable entry: CONFIG_FUNCTION_TRACER is not set',
    );
    const on = hookProbe(door({ tryFentry, config: new Map([['CONFIG_FUNCTION_TRACER', 'y']]) }));
    expect(on(fentry('common_interrupt')).reason).toMatch(/noinstr/);
  });

  it('is tried once', () => {
    let tries = 0;
    const probe = hookProbe(
      door({
        tryFentry: () => {
          tries++;
          return undefined;
        },
      }),
    );
    probe(fentry('ip_rcv'));
    probe(fentry('ip_rcv'));
    expect(tries).toBe(1);
  });
});

describe('the ladder', () => {
  it('is complete and best first where everything works', () => {
    const report = hookReport(hookProbe(door()));
    expect(report.map((stage) => stage.best?.label)).toEqual(
      HOOKED_STAGES.map((stage) => stage.ways[0]?.label),
    );
  });

  it('falls to the tracepoints on a kernel that refuses fentry, and keeps the reasons', () => {
    const report = hookReport(hookProbe(door({ tryFentry: () => ({ step: 'load', errno: 1 }) })));
    const open = report.filter((stage) => stage.best !== undefined).map((stage) => stage.stage);
    expect(open).toEqual([
      'isr',
      'raise',
      'softirq',
      'driver',
      'stack',
      'transport',
      'socket',
      'read',
      'drop',
    ]);
    const entry = report[0]?.ways[0];
    expect(entry && wayReason(entry)).toMatch(/^irq_enter_rcu, napi_schedule_prep: EPERM/);
    const blind = hookReport(
      withPreemptCount(hookProbe(door({ tryFentry: () => ({ step: 'load', errno: 1 }) })), false),
    );
    expect(blind[0]?.ways[0] && wayReason(blind[0].ways[0])).toBe(entry && wayReason(entry));
  });

  it('takes the way by the flow handler where __common_interrupt is inlined (5.10)', () => {
    const probe = hookProbe(door({ functionId: (name) => (name === '__common_interrupt' ? -2 : 7) }));
    const [entry] = hookReport(withPreemptCount(probe, false));
    expect(entry?.best?.label).toBe('fentry irq_enter_rcu, claimed by the flow handler');
    expect(entry?.ways[0] && wayReason(entry.ways[0])).toBe(
      'irq_handler_entry: programs cannot read the preempt count of this kernel',
    );
  });

  it('says of nothing that it is impossible where it may not try, the preempt count among it', () => {
    const report = hookReport(withPreemptCount(hookProbe(door({ capabilities: new Set() })), false));
    expect(report.flatMap(({ ways }) => ways.map(({ answer }) => answer.possible))).not.toContain('no');
  });

  it('needs only one of the tracepoints on packets', () => {
    const probe = hookProbe(door({ hasTracepoint: (name) => name !== 'napi_gro_frags_entry' }));
    expect(hookReport(probe).find(({ stage }) => stage === 'driver')?.best).toBeDefined();
  });

  it('has nothing without type information', () => {
    const report = hookReport(
      hookProbe(door({ functionId: () => undefined, hasTracepoint: () => undefined })),
    );
    expect(report.every((stage) => stage.best === undefined)).toBe(true);
  });
});
