/**
 * What happens to an interface while it is traced: down and up, fewer and more queues, interrupts moved, CPU off, driver
 * unbound and bound. Known traffic in every phase; the kernel's own files say which interrupts there were.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Guest } from '../../../lab/guest.js';
import {
  carrierOf,
  GuestTrace,
  interruptsMoved,
  NOTHING_LOST,
  outOfOrder,
  phaseFrames,
  receiveIrqs,
  sh,
  type Traced,
} from '../guest-trace.js';

const COUNT = 100;

/** Interrupts of an interface that have a handler, as a note lists them. */
async function handled(guest: Guest): Promise<string> {
  const irqs = await sh(guest, "grep -E ' eth0(-|$)' /proc/interrupts | cut -d: -f1 | sort -n");
  return irqs.split(/\s+/).join(', ');
}

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
    const carrier = carrierOf('eth0');
    // The trace says what it has noticed once it goes by it: waited for, as nothing says how late its process is.
    /** Makes a change, and waits until the trace has said this of it. */
    const change = async (line: string, said: RegExp, times = 1): Promise<void> => {
      const from = trace.said.length;
      await sh(guest, line);
      await trace.says(said, times, from);
    };
    const queues = async (count: number): Promise<void> => {
      const from = trace.said.length;
      await sh(guest, `ethtool -L eth0 combined ${count}; ${carrier}`);
      await trace.says(new RegExp(`interrupts of eth0 are ${await handled(guest)} now`), 1, from);
    };
    const goTo = async (cpu: number): Promise<void> => {
      for (const irq of await receiveIrqs(guest))
        await sh(guest, `echo ${cpu} > /proc/irq/${irq}/smp_affinity_list`);
    };
    await traffic();
    await change('ip link set eth0 down', /eth0 was brought down/);
    await change(`ip link set eth0 up; ${carrier}`, /eth0 was brought up/);
    await traffic();
    await queues(1);
    await traffic();
    await queues(2);
    await traffic();
    const before = trace.said.length;
    await goTo(0);
    await trace.says(/may go to CPU 0 now/, 2, before);
    await interruptsMoved(guest, await receiveIrqs(guest), 0);
    await traffic();
    await goTo(1);
    await change('echo 0 > /sys/devices/system/cpu/cpu1/online', /CPU 1 is offline now/);
    await traffic();
    await change('echo 1 > /sys/devices/system/cpu/cpu1/online', /CPU 1 is online now/);
    await traffic();
    await change(`echo ${bus} > /sys/bus/pci/drivers/igb/unbind`, /eth0 has lost its driver/);
    await change(`echo ${bus} > /sys/bus/pci/drivers/igb/bind`, /eth0 is there again/);
    await change(
      `ip link set eth0 up; ethtool -N eth0 rx-flow-hash udp4 sdfn; ${carrier}`,
      /eth0 was brought up/,
    );
    await traffic();
    const renamed = 'ip link set eth0 down; ip link set eth0 name lan0; ip link set lan0 up';
    await change(`${renamed}; ${carrierOf('lan0')}`, /eth0 is called lan0 now/);
    // Also that it was down, if the trace came by in that moment.
    const downs = trace.said.match(/was brought down/g)?.length ?? 0;
    // The driver that was bound again made it down.
    await trace.says(/was brought up/, downs + 1);
    irqsOfPhase.push(await receiveIrqs(guest, 'lan0'));
    await trace.send(phaseFrames(phase++, COUNT), {}, { iface: 'lan0' });
    traced = await trace.end();
    await sh(guest, 'ip link set lan0 down');
    const second = await GuestTrace.start(guest, 'lan0');
    await sh(guest, `ip link set lan0 up; ${carrierOf('lan0')}`);
    await second.says(/lan0 was brought up/);
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
    expect(new Set(traced.phase(4).map(({ cpu }) => cpu))).toEqual(new Set([0]));
  });
});
