import { describe, expect, it } from 'vitest';
import type { IrqDetail } from '../../sys/inspect.js';
import { distinct, handlersOf, splitSymbol } from './handlers.js';

const action = (name: string, handler: string, thread?: string) => ({ name, handler, thread, argument: 0n });
const detail = (...actions: ReturnType<typeof action>[]): IrqDetail => ({
  irq: 26,
  vector: 0x24,
  cpu: 0,
  flow: 'handle_edge_irq',
  actions,
});

describe('the function that answers an interrupt', () => {
  it('is the action’s, with its module apart', () => {
    expect(handlersOf(detail(action('eth0-rx-0', 'igb_msix_ring [igb]')), ['eth0-rx-0'])).toEqual([
      { name: 'igb_msix_ring', module: 'igb', thread: false },
    ]);
  });

  it('is the thread’s where the hard interrupt only wakes one', () => {
    const forced = action('eth0-rx-0', 'irq_default_primary_handler', 'igb_msix_ring [igb]');
    expect(handlersOf(detail(forced), ['eth0-rx-0'])).toEqual([
      { name: 'igb_msix_ring', module: 'igb', thread: true },
    ]);
  });

  it('stays the hard interrupt’s where a driver has both', () => {
    const both = action('eth0', 'bnx2_msi [bnx2]', 'bnx2_thread [bnx2]');
    expect(handlersOf(detail(both), ['eth0'])).toEqual([{ name: 'bnx2_msi', module: 'bnx2', thread: false }]);
  });

  it('of a shared line is the interface’s own', () => {
    const shared = detail(action('uhci_hcd:usb1', 'usb_hcd_irq'), action('eth1', 'e1000_intr [e1000]'));
    expect(handlersOf(shared, ['eth1']).map(({ name }) => name)).toEqual(['e1000_intr']);
  });

  it('is every one where no name tells', () => {
    const shared = detail(action('a', 'first'), action('b', 'second'));
    expect(handlersOf(shared, []).map(({ name }) => name)).toEqual(['first', 'second']);
  });

  it('is listed once for all lines that it answers', () => {
    const one = handlersOf(detail(action('eth0-rx-0', 'igb_msix_ring [igb]')), []);
    expect(distinct([...one, ...one])).toEqual(one);
  });

  it('is read as the kernel prints it', () => {
    expect(splitSymbol('vring_interrupt')).toEqual({ name: 'vring_interrupt', module: undefined });
  });
});
