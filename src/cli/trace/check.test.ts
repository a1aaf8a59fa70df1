import { describe, expect, it } from 'vitest';
import { RxError } from '../../base/errors.js';
import { processOf } from '../../sys/processes.js';
import { checkProcesses, checkStamped, checkTold } from './check.js';

function refusal(run: () => void): string {
  try {
    run();
  } catch (error) {
    return error instanceof RxError ? error.toLine() : String(error);
  }
  return 'nothing was thrown';
}

it('packets that say nothing of their NAPI instance cannot be chosen by it where no poll is seen to begin', () => {
  const told = (...args: Parameters<typeof checkTold>) => refusal(() => checkTold(...args));
  expect(told(true, ['vmxnet3'], ['napi_prep'])).toMatch(/^RXS_USAGE: .* vmxnet3: it does not mark packets/);
  for (const fine of [
    told(false, ['vmxnet3'], ['napi_prep']),
    told(true, ['igb', undefined], ['napi_prep']),
    told(true, ['vmxnet3'], ['napi_prep', 'napi_poll_start']),
    told(true, ['vmxnet3'], ['isr_entry']),
  ])
    expect(fine).toBe('nothing was thrown');
});

describe('processes that --pid names', () => {
  const owner = (tid: number): number | undefined => ({ 812: 812, 815: 812 })[tid];

  it('are processes that there are, in the numbers of the kernel', () => {
    expect(refusal(() => checkProcesses([812], owner, () => true))).toBe('nothing was thrown');
    expect(refusal(() => checkProcesses(undefined, owner, () => false))).toBe('nothing was thrown');
    expect(refusal(() => checkProcesses([812, 815], owner, () => true))).toBe(
      'RXS_NO_PROCESS: choosing packets read by process 815: that is a thread of process 812. hint: give --pid 812',
    );
    expect(refusal(() => checkProcesses([9], owner, () => true))).toMatch(
      /^RXS_NO_PROCESS: .* 9: there is none\. /,
    );
    expect(refusal(() => checkProcesses([812], owner, () => false))).toMatch(/initial PID namespace/);
  });

  it('are looked up in /proc', () => {
    expect(processOf(process.pid)).toBe(process.pid);
    expect(processOf(4_194_305)).toBeUndefined();
  });
});

describe('stages that a filter looks at', () => {
  it('must be stamped here', () => {
    const ways = [
      { stage: 'entry', hook: undefined, reasons: ['fentry irq_enter_rcu: no'] },
      { stage: 'isr', hook: 'tracepoint irq_handler_entry', reasons: [] },
      { stage: 'driver', hook: 'tracepoints', reasons: [] },
    ] as const;
    const ask = (from: 'entry' | 'isr' | 'poll', to: 'driver'): string =>
      refusal(() => checkStamped({ slower: { from, to, ns: 1 }, pids: undefined }, ways));
    expect(ask('isr', 'driver')).toBe('nothing was thrown');
    expect(ask('entry', 'driver')).toBe(
      'RXS_NO_HOOK: choosing packets by stage entry: it is not stamped here: fentry irq_enter_rcu: no. hint: name two of isr, driver',
    );
    expect(ask('poll', 'driver')).toMatch(/^RXS_NO_HOOK: .*stage poll: .*the interface has no interrupts/);
    expect(
      refusal(() =>
        checkStamped({ slower: { from: undefined, to: undefined, ns: 1 }, pids: undefined }, ways),
      ),
    ).toBe('nothing was thrown');
    expect(refusal(() => checkStamped({ slower: undefined, pids: [1] }, ways))).toMatch(
      /^RXS_NO_HOOK: choosing packets by stage read: .*\. hint: trace without --pid/,
    );
  });
});
