import { describe, expect, it } from 'vitest';
import { driverHabits } from './driver-habits.js';
import { irqFacts } from './irq-facts.js';
import type { IrqRole, Nic } from './nic.js';

const nic = (
  driver: string,
  rxQueues: number,
  irqs: readonly [IrqRole, number | undefined, string[]?][],
): Nic => ({
  name: 'eth0',
  ifindex: 2,
  driver,
  bus: undefined,
  rxQueues,
  noIrqs: undefined,
  lower: [],
  irqs: irqs.map(([role, queue, actions], index) => ({
    irq: 30 + index,
    actions: actions ?? [`eth0-${index}`],
    role,
    queue,
    affinity: '0-1',
    effectiveCpu: 0,
    node: undefined,
    chip: 'PCI-MSIX',
    trigger: 'edge',
    count: 0,
    perCpu: [],
  })),
});

const FIXED = { mode: 'fixed', maxUsecs: 50, meaning: undefined } as const;

describe('what can raise an interrupt', () => {
  it('is only packets on a vector that serves one receive queue and nothing else', () => {
    const two = nic('virtio_net', 2, [
      ['rx', 0],
      ['tx', undefined],
      ['rx', 1],
      ['other', undefined],
    ]);
    expect(irqFacts(two, FIXED).map(({ irq, receiveOnly }) => [irq, receiveOnly])).toEqual([
      [30, true],
      [31, false],
      [32, true],
      [33, false],
    ]);
    expect(irqFacts(two, FIXED)[2]).toMatchObject({ queue: 1, moderationNs: 50_000, sharedLine: false });
    expect(irqFacts(nic('i40e', 1, [['rxtx', 0]]), FIXED)[0]?.receiveOnly).toBe(false);
  });

  it('is more than one queue where there are fewer vectors than queues, or nobody tells which', () => {
    expect(irqFacts(nic('igb', 2, [['rx', 0]]), FIXED)[0]?.receiveOnly).toBe(false);
    const twice = nic('igb', 2, [
      ['rx', 0],
      ['rx', 0],
    ]);
    expect(irqFacts(twice, FIXED).map((one) => one.receiveOnly)).toEqual([false, false]);
    expect(irqFacts(nic('igb', 2, [['rx', undefined]]), FIXED)[0]?.receiveOnly).toBe(false);
    expect(irqFacts(nic('e1000e', 1, [['rx', undefined]]), FIXED)[0]?.receiveOnly).toBe(true);
  });

  it('is another device too on a shared line, and is unknown in time where the driver does not say', () => {
    const shared = nic('virtio_net', 1, [['rx', 0, ['virtio0-input.0', 'ahci']]]);
    expect(irqFacts(shared, undefined)[0]).toMatchObject({ sharedLine: true, moderationNs: undefined });
  });

  it('is the driver itself where it is not known to keep quiet', () => {
    expect(driverHabits('virtio_net')).toEqual({ selfRaised: false, looksAgain: true });
    expect(driverHabits('igb')).toEqual({ selfRaised: true, looksAgain: true });
    expect(driverHabits('sfc')).toEqual({ selfRaised: true, looksAgain: false });
    expect(driverHabits(undefined)).toEqual({ selfRaised: true, looksAgain: false });
  });
});
