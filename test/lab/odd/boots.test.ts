/**
 * Machines that are odd from their first instruction on: handlers in threads, PREEMPT_RT, no MSI. A guest each, so they are
 * looked at with RXSTAMP_LONG=1.
 */
import { describe, expect, it } from 'vitest';
import { withGuest } from '../../../lab/with-guest.js';
import {
  carrierOf,
  GuestTrace,
  NOTHING_LOST,
  outOfOrder,
  phaseFrames,
  receiveIrqs,
  sh,
} from '../guest-trace.js';

const COUNT = 500;
const long = process.env['RXSTAMP_LONG'] === '1';

describe.skipIf(!long)('a guest of its own', () => {
  it.each([
    ['6.12', 'threadirqs', 'igb,queues=2'],
    ['6.12-rt', '', 'igb,queues=2'],
    ['5.10', 'threadirqs', 'igb,queues=2'],
    ['7', 'threadirqs', 'virtio'],
  ])('handlers in threads: %s %s, %s', { timeout: 900_000 }, async (kernel, append, nic) => {
    await withGuest({ kernel, nic, append, cpus: 2 }, async (guest) => {
      const trace = await GuestTrace.start(guest, 'eth0');
      await trace.sendInParts(phaseFrames(0, COUNT), { burst: 3, gapUs: 4000 });
      const traced = await trace.end();
      const packets = traced.phase(0);
      expect({ ...traced.account, packets: packets.length }).toEqual({ ...NOTHING_LOST, packets: COUNT });
      expect(outOfOrder(packets)).toEqual([]);
      // The poll runs in the thread that raised it, or in ksoftirqd when there is too much.
      const elsewhere = packets.filter(
        ({ via }) => !via.includes('irq-thread') && !via.includes('ksoftirqd'),
      );
      expect(elsewhere).toEqual([]);
      const caused = packets.filter(({ how }) => how === 'own-irq' || how === 'batch');
      expect(caused.length).toBeGreaterThan(COUNT * 0.8);
      // The hard interrupt is the arrival; the driver's handler runs in the thread, behind a wake-up.
      expect(caused.filter(({ stage }) => stage !== 'entry')).toEqual([]);
      const receiving = nic === 'virtio' ? undefined : await receiveIrqs(guest);
      if (receiving === undefined) return;
      expect(packets.filter(({ irq, queue }) => irq !== receiving[queue ?? -1])).toEqual([]);
    });
  });

  it('one line for two NICs (INTx): each packet by its own NIC, never certain to be its own interrupt', {
    timeout: 900_000,
  }, async () => {
    const boot = { nic: 'e1000e', second: 'e1000e', append: 'pci=nomsi', cpus: 2 } as const;
    await withGuest(boot, async (guest) => {
      await sh(guest, `ip link set eth1 up; ${carrierOf('eth1')}`);
      const line = /^\s*(\d+):.*fasteoi\s+(.*eth0.*)$/m.exec(await sh(guest, 'cat /proc/interrupts'));
      expect(line?.[2]).toContain('eth1');
      const irq = Number(line?.[1]);
      const both = async (phase: number, ...args: string[]) => {
        const trace = await GuestTrace.start(guest, ...args);
        const second = phaseFrames(phase + 1, COUNT, 1, '52:54:00:77:00:03');
        await Promise.all([
          trace.send(phaseFrames(phase, COUNT)),
          trace.send(second, {}, { injector: guest.secondInjector, iface: 'eth1' }),
        ]);
        return trace.end();
      };
      const one = await both(0, 'eth0');
      expect(one.account).toEqual(NOTHING_LOST);
      expect([one.phase(0).length, one.phase(1).length]).toEqual([COUNT, 0]);
      expect(outOfOrder(one.phase(0))).toEqual([]);
      expect(new Set(one.phase(0).map((packet) => packet.irq))).toEqual(new Set([irq]));
      expect(one.phase(0).filter(({ how, certain }) => how === 'own-irq' && certain)).toEqual([]);
      const line0 = await both(2, '--irq', String(irq));
      expect(line0.lines.meta.interfaces.length).toBe(2);
      expect([line0.phase(2).length, line0.phase(3).length]).toEqual([COUNT, COUNT]);
      expect(line0.account).toEqual(NOTHING_LOST);
    });
  });
});
