import { describe, expect, it } from 'vitest';
import { known, unknown } from '../../base/answer.js';
import type { Nic } from '../../nic/nic.js';
import { kernelFiles } from '../../sys/files.js';
import { askFacts, renewing } from './facts.js';
import { oneQueueEach } from './target.js';

const NIC = {
  name: 'eth0',
  ifindex: 2,
  driver: 'virtio_net',
  bus: undefined,
  rxQueues: 1,
  noIrqs: undefined,
  lower: [],
  irqs: [{ irq: 38, actions: ['virtio0-input.0'], role: 'rx', queue: 0 }],
} as unknown as Nic;

const nowhere = kernelFiles('/nonexistent');

describe('what the rules of arrival must know', () => {
  it('comes from ethtool -c and from the names of the interrupts', async () => {
    const asked: string[] = [];
    const facts = await askFacts([NIC, { ...NIC, name: 'lo', irqs: [] }], nowhere, async (program, args) => {
      asked.push([program, ...args].join(' '));
      return known('Adaptive RX: off  TX: off\nrx-usecs:\t20\n');
    });
    expect(asked).toEqual(['ethtool -c eth0']);
    expect([...facts.irqs]).toEqual([
      [
        38,
        { irq: 38, receiveOnly: true, selfRaised: false, sharedLine: false, moderationNs: 20_000, queue: 0 },
      ],
    ]);
    expect(facts.wakeNs).toBe(0);
  });

  it('is unknown where ethtool cannot be asked', async () => {
    const facts = await askFacts([NIC], nowhere, async () => unknown('ethtool is not installed'));
    expect(facts.irqs.get(38)?.moderationNs).toBeUndefined();
  });
});

describe('facts of interfaces that change', () => {
  const irqs = (irq: number) => new Map([[irq, { irq } as never]]);

  it('are unknown until they are asked again, and a late answer does not replace a newer one', async () => {
    const answers: ((irq: number) => void)[] = [];
    const facts = { irqs: irqs(1), lines: 1 };
    const renew = renewing(
      facts,
      () =>
        new Promise((resolve) => answers.push((irq) => resolve({ irqs: irqs(irq), lines: 9, wakeNs: 0 }))),
    );
    renew([NIC, NIC]);
    expect([facts.irqs.size, facts.lines]).toEqual([0, 2]);
    renew([NIC]);
    answers[1]?.(3);
    await Promise.resolve();
    answers[0]?.(2);
    await Promise.resolve();
    expect([[...facts.irqs.keys()], facts.lines]).toEqual([[3], 1]);
  });
});

describe('a packet’s stamp says that its queue was empty behind it', () => {
  it('where there is one queue, and the driver looks again behind each packet', () => {
    expect(oneQueueEach(NIC)).toBe(true);
    expect(oneQueueEach({ ...NIC, rxQueues: 2 })).toBe(false);
    expect(oneQueueEach({ ...NIC, driver: 'mvneta' })).toBe(false);
  });
});
