import { describe, expect, it, onTestFinished } from 'vitest';
import { FakeKernel } from '../../../test/support/kernel-files.js';
import { RxError } from '../../base/errors.js';
import type { Change } from '../../nic/watch.js';
import { resolveNic } from '../../nic/resolve.js';
import type { Target } from './target.js';
import { Watcher } from './watch.js';

const PCI = '0000:00:04.0';

describe('an interface that gets an interrupt which cannot be listened to', () => {
  it('is traced on, with a note', () => {
    const kernel = new FakeKernel()
      .nic('eth0', 2, PCI, { 31: 'eth0-rx-0' })
      .interrupts({ 31: 'eth0-rx-0' })
      .write({ 'sys/devices/system/cpu/online': '0-1' });
    onTestFinished(() => kernel.close());
    const target = {
      nics: [resolveNic('eth0', kernel.files)],
      ebpf: { ifindex: 2, irqs: [], irqOnly: false },
    } as unknown as Target;
    const told: Change[] = [];
    const asked: number[] = [];
    const followed = {
      follow: () => {
        throw new RxError('RXS_NO_IRQ', {
          doing: 'listening to IRQ',
          subject: '5000',
          why: 'numbers from 4096 on do not fit the filter',
          hint: 'none',
        });
      },
      nics: (nics: readonly unknown[]) => void asked.push(nics.length),
      tell: (change: Change) => void told.push(change),
    };
    const links = { changed: () => true, close: () => {} };
    const watcher = new Watcher(target, followed, kernel.files, links);
    kernel.irq(PCI, 5000, 'eth0-rx-1').interrupts({ 31: 'eth0-rx-0', 5000: 'eth0-rx-1' });
    watcher.turn(0);
    expect(told.map(({ what, text }) => [what, text])).toEqual([
      [
        'irqs',
        'the trace goes on without: listening to IRQ 5000: numbers from 4096 on do not fit the filter',
      ],
      ['irqs', 'interrupts of eth0 are 31, 5000 now (were 31)'],
    ]);
    expect(asked).toEqual([1]);
    watcher.turn(1);
    expect(told.length).toBe(2);
  });
});
