/**
 * What happens to an interface while it is traced: down and up, fewer and more queues, interrupts moved, CPU off, driver
 * unbound and bound. Known traffic in every phase; the kernel's own files say which interrupts there were.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Guest } from '../../../lab/guest.js';
import { NOTHING_LOST } from '../guest-trace.js';
import { GuestTrace, type Traced, outOfOrder, phaseFrames, receiveIrqs, sh } from './tracing.js';

const COUNT = 100;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
/** Longer than the watcher's interval. */
const NOTICED_MS = 1300;

describe('an igb that changes while it is traced', () => {
  const guest = new Guest({ kernel: '6.12', nic: 'igb,queues=2', cpus: 2 });
  const irqsOfPhase: number[][] = [];
  let traced: Traced;
  let begunDown: Traced;

  beforeAll(async () => {
    await guest.boot();
    const trace = await GuestTrace.start(guest, 'eth0');
    const bus = (await sh(guest, 'readlink /sys/class/net/eth0/device')).split('/').at(-1) ?? '';
    let phase = 0;
    const traffic = async (): Promise<void> => {
      irqsOfPhase.push(await receiveIrqs(guest));
      await trace.send(phaseFrames(phase++, COUNT));
    };
    const carrier =
      'for i in $(seq 100); do [ "$(cat /sys/class/net/eth0/carrier 2>/dev/null)" = 1 ] && break; sleep 0.05; done; sleep 0.3';
    await traffic();
    await sh(guest, `ip link set eth0 down; sleep 0.3; ip link set eth0 up; ${carrier}`);
    await traffic();
    await sh(guest, `ethtool -L eth0 combined 1; ${carrier}`);
    await traffic();
    await sh(guest, `ethtool -L eth0 combined 2; ${carrier}`);
    await traffic();
    for (const irq of await receiveIrqs(guest))
      await sh(guest, `echo 0 > /proc/irq/${irq}/smp_affinity_list`);
    await pause(NOTICED_MS);
    await traffic();
    for (const irq of await receiveIrqs(guest))
      await sh(guest, `echo 1 > /proc/irq/${irq}/smp_affinity_list`);
    await sh(guest, 'echo 0 > /sys/devices/system/cpu/cpu1/online');
    await pause(NOTICED_MS);
    await traffic();
    await sh(guest, 'echo 1 > /sys/devices/system/cpu/cpu1/online');
    await pause(NOTICED_MS);
    await traffic();
    await sh(
      guest,
      `echo ${bus} > /sys/bus/pci/drivers/igb/unbind; sleep 0.3; echo ${bus} > /sys/bus/pci/drivers/igb/bind; sleep 0.5; ip link set eth0 up; ethtool -N eth0 rx-flow-hash udp4 sdfn; ${carrier}`,
    );
    await traffic();
    await sh(guest, 'ip link set eth0 down; ip link set eth0 name lan0; ip link set lan0 up; sleep 1.5');
    irqsOfPhase.push(await receiveIrqs(guest, 'lan0'));
    await trace.send(phaseFrames(phase++, COUNT), {}, { iface: 'lan0' });
    traced = await trace.end();
    await sh(guest, 'ip link set lan0 down; sleep 0.3');
    const second = await GuestTrace.start(guest, 'lan0');
    await sh(guest, `ip link set lan0 up; ${carrier.replaceAll('eth0', 'lan0')}; sleep 1.5`);
    irqsOfPhase.push(await receiveIrqs(guest, 'lan0'));
    await second.send(phaseFrames(phase++, COUNT), {}, { iface: 'lan0' });
    begunDown = await second.end();
  });
  afterAll(() => guest.close());

  it.each([
    [0, 'before anything changes'],
    [1, 'down and up'],
    [2, 'one queue'],
    [3, 'two queues again'],
    [4, 'interrupts moved to CPU 0'],
    [5, 'CPU 1 offline'],
    [6, 'CPU 1 online'],
    [7, 'driver unbound and bound'],
    [8, 'renamed'],
  ])('phase %i (%s): every frame, by the interrupts that there were, in ladder order', (phase) => {
    const packets = traced.phase(phase);
    expect(packets.length).toBe(COUNT);
    expect(outOfOrder(packets)).toEqual([]);
    const irqs = irqsOfPhase[phase] ?? [];
    expect(irqs.length).toBe(phase === 2 ? 1 : 2);
    expect(packets.filter(({ irq, queue }) => irq === undefined || irq !== irqs[queue ?? -1])).toEqual([]);
    const caused = packets.filter(({ how }) => how === 'own-irq' || how === 'batch');
    expect(caused.length).toBeGreaterThan(COUNT / 2);
    expect(packets.filter(({ how }) => how === 'unknown').length).toBeLessThanOrEqual(8);
  });

  it('loses nothing and notes every change, on standard error and as records', () => {
    expect(traced.account).toEqual(NOTHING_LOST);
    const kinds = traced.notes.map(({ what }) => what);
    for (const kind of [
      'down',
      'up',
      'irqs',
      'affinity',
      'cpu-offline',
      'cpu-online',
      'gone',
      'back',
      'renamed',
    ])
      expect(kinds).toContain(kind);
    for (const { text } of traced.notes) expect(traced.stderr).toContain(`note: ${text}\n`);
  });

  it('stamps the interrupts of an interface that was down when the trace began', () => {
    const packets = begunDown.phase(9);
    expect({ code: begunDown.code, packets: packets.length }).toEqual({ code: 0, packets: COUNT });
    expect(
      begunDown.lines.meta.ways.filter(({ stage, hook }) => stage === 'entry' && hook === undefined),
    ).toEqual([]);
    expect(outOfOrder(packets)).toEqual([]);
    expect(packets.filter(({ irq, queue }) => irq !== irqsOfPhase[9]?.[queue ?? -1])).toEqual([]);
    const caused = packets.filter(({ how }) => how === 'own-irq' || how === 'batch');
    expect(caused.length).toBeGreaterThan(COUNT / 2);
    expect(caused.filter(({ stages }) => stages.entry === undefined)).toEqual([]);
  });

  it('polls where the interrupts were sent', () => {
    expect(new Set(traced.phase(5).map(({ cpu }) => cpu))).toEqual(new Set([0]));
    expect(
      new Set(
        traced
          .phase(4)
          .slice(10)
          .map(({ cpu }) => cpu),
      ),
    ).toEqual(new Set([0]));
  });
});
