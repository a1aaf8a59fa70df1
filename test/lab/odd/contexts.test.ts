/** Where a poll runs and where a packet goes from there: known traffic, and what every packet must say about it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ADDRESSES, SINK_PORT, vlanTagged } from '../../../lab/frames.js';
import { Guest } from '../../../lab/guest.js';
import type { Entrance } from '../../../lab/trace-in-guest.js';
import { compile } from '../../support/compile.js';
import type { PacketLine } from '../ndjson.js';
import {
  carrierOf,
  GuestTrace,
  moveInterrupts,
  NOTHING_LOST,
  outOfOrder,
  phaseFrames,
  receiveIrqs,
  sh,
  type Traced,
} from '../guest-trace.js';

const COUNT = 200;
/** Packets of fifteen polls. */
const BURST = 960;
const MOST_BURSTS = 20;
/** What the others imply: with RXSTAMP_LONG=1. */
const further = it.skipIf(process.env['RXSTAMP_LONG'] !== '1');

/** Packets that do not name the interrupt of the queue that the NIC put them on. */
function ofOtherIrqs(traced: Traced, phase: number, irqs: readonly number[]): PacketLine[] {
  return traced.phase(phase).filter(({ irq, queue }) => irq === undefined || irq !== irqs[queue ?? -1]);
}

/** How many packets say each thing. */
function countBy<T>(items: readonly T[], of: (item: T) => string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const item of items) counts[of(item)] = (counts[of(item)] ?? 0) + 1;
  return counts;
}

function expectWhole(traced: Traced, phase: number, count: number): void {
  expect({ ...traced.account, packets: traced.phase(phase).length }).toEqual({
    ...NOTHING_LOST,
    packets: count,
  });
  expect(outOfOrder(traced.phase(phase))).toEqual([]);
}

describe('igb and e1000e on 6.12', () => {
  const guest = new Guest({
    kernel: '6.12',
    nic: 'igb,queues=2',
    second: 'e1000e',
    cpus: 2,
    modules: ['8021q', 'macvlan', 'bonding', 'bridge'],
  });
  let irqs: number[];
  let second: number;

  beforeAll(async () => {
    await guest.boot();
    await sh(guest, `ip link set eth1 up; ${carrierOf('eth1')}`);
    irqs = await receiveIrqs(guest);
    [second = 0] = await receiveIrqs(guest, 'eth1');
  });
  afterAll(() => guest.close());

  /** In by the second NIC. */
  const byEth1 = (): Entrance => ({ injector: guest.secondInjector, iface: 'eth1' });
  const caused = (traced: Traced, phase: number): number =>
    traced.phase(phase).filter(({ how }) => how === 'own-irq' || how === 'batch').length;

  it('threaded NAPI: all of them via the thread, none with a softirq, by the interrupts of their queues', async () => {
    await sh(guest, 'echo 1 > /sys/class/net/eth0/threaded');
    const trace = await GuestTrace.start(guest, 'eth0');
    // So slow that a thread that waits for its turn is mostly done before the next ones come, which it would poll itself.
    await trace.sendInParts(phaseFrames(0, COUNT), { gapUs: 10_000 });
    const traced = await trace.end();
    await sh(guest, 'echo 0 > /sys/class/net/eth0/threaded');
    expectWhole(traced, 0, COUNT);
    const packets = traced.phase(0);
    expect(countBy(packets, ({ via }) => via.join())).toEqual({ threaded: COUNT });
    expect(packets.filter(({ stages }) => stages.softirq !== undefined)).toEqual([]);
    expect(ofOtherIrqs(traced, 0, irqs)).toEqual([]);
    expect(caused(traced, 0)).toBeGreaterThan(COUNT * 0.8);
  });

  it('ksoftirqd: where the softirq budget is one poll, a burst goes on there, as repolls', async () => {
    await sh(guest, 'sysctl -qw net.core.netdev_budget=1');
    const trace = await GuestTrace.start(guest, 'eth0');
    // A softirq begins again ten times and for 2 ms before it is left to the thread (__do_softirq): more than ten polls
    // take. When the emulator is slower than the guest, each poll finds few and is the last one: then once more.
    let bursts = 0;
    do {
      await trace.send(phaseFrames(1, BURST, 1), { burst: BURST });
      await trace.prints(/^\{"type":"packet"/gm, ++bursts * BURST);
    } while (!trace.printed.includes('"via":["ksoftirqd"') && bursts < MOST_BURSTS);
    const traced = await trace.end();
    await sh(guest, 'sysctl -qw net.core.netdev_budget=300');
    expectWhole(traced, 1, bursts * BURST);
    const counts = countBy(traced.phase(1), ({ via }) => via.join());
    expect(Object.keys(counts).filter((via) => via !== '' && via !== 'ksoftirqd')).toEqual([]);
    expect(counts['ksoftirqd']).toBeGreaterThan(0);
    expect(traced.phase(1).filter(({ how }) => how === 'repoll').length).toBeGreaterThan(0);
  });

  it('busy polling: most of them by the reader itself, all of them read', async () => {
    // The kernel skips a program that an interrupt meets at work in a task: the reader has a CPU without interrupts.
    await moveInterrupts(guest, 1);
    const busyReader = [compile('test/support/busy-reader.c'), String(SINK_PORT), '50000', String(COUNT)];
    const reader = guest.start(['taskset', '-c', '0', ...busyReader]);
    for await (const line of reader.lines()) if (line === 'ready') break;
    const trace = await GuestTrace.start(guest, 'eth0');
    // Over more than a second: what comes while the host does not run the reader's CPU is polled by the other one. The
    // reader polls for longer than the gap.
    await trace.send(phaseFrames(2, COUNT, 1), { burst: 3, gapUs: 20_000 });
    const { stdout } = await reader.wait();
    const traced = await trace.end();
    expect(stdout).toContain(`read ${COUNT}\n`);
    expectWhole(traced, 2, COUNT);
    const busy = traced.phase(2).filter(({ via }) => via.includes('busy-poll'));
    expect(busy.length).toBeGreaterThan(COUNT / 2);
    expect(countBy(busy, ({ how }) => how)).toEqual({ 'busy-poll': busy.length });
    expect(new Set(busy.map(({ irq }) => irq)).size).toBe(1);
  });

  it('RPS: all of them say that another CPU took them over', async () => {
    await moveInterrupts(guest, 1);
    await sh(guest, 'for q in /sys/class/net/eth0/queues/rx-*; do echo 1 > $q/rps_cpus; done');
    const trace = await GuestTrace.start(guest, 'eth0', '--until', 'stack');
    await trace.send(phaseFrames(3, COUNT));
    const traced = await trace.end();
    await sh(guest, 'for q in /sys/class/net/eth0/queues/rx-*; do echo 0 > $q/rps_cpus; done');
    expectWhole(traced, 3, COUNT);
    const late = traced.phase(3).slice(COUNT / 4);
    expect(late.filter(({ cpu, via }) => cpu !== 1 || !via.includes('rps'))).toEqual([]);
    expect(late.filter(({ stages }) => stages.stack === undefined)).toEqual([]);
  });

  it('two NICs at once: packets of both, each by an interrupt of its own', async () => {
    const trace = await GuestTrace.start(guest, '--irq', [...irqs, second].join());
    await Promise.all([
      trace.send(phaseFrames(4, COUNT)),
      trace.send(phaseFrames(5, COUNT, 1, ADDRESSES.secondMac), {}, byEth1()),
    ]);
    const traced = await trace.end();
    expect(traced.lines.meta.interfaces.length).toBe(2);
    expectWhole(traced, 4, COUNT);
    expectWhole(traced, 5, COUNT);
    expect(ofOtherIrqs(traced, 4, irqs)).toEqual([]);
    expect(new Set(traced.phase(5).map(({ irq }) => irq))).toEqual(new Set([second]));
  });

  it('a VLAN: packets with its tag, by the interrupts of the NIC below, and that is said first', async () => {
    await sh(guest, 'ip link add link eth0 name eth0.5 type vlan id 5; ip link set eth0.5 up');
    const trace = await GuestTrace.start(guest, 'eth0.5');
    const tagged = phaseFrames(6, COUNT).map((frame) => vlanTagged(frame, 5));
    await trace.send(phaseFrames(7, COUNT).flatMap((frame, index) => [frame, tagged[index] as Buffer]));
    const traced = await trace.end();
    await sh(guest, 'ip link del eth0.5');
    expect(traced.lines.meta.on).toContain('stamped at eth0');
    expectWhole(traced, 6, COUNT);
    expectWhole(traced, 7, 0);
    expect(ofOtherIrqs(traced, 6, irqs)).toEqual([]);
    expect(traced.phase(6).filter(({ flow }) => flow.vlan !== 5)).toEqual([]);
  });

  further('a macvlan: packets to its address', async () => {
    const mac = '52:54:00:77:00:77';
    await sh(
      guest,
      `ip link add link eth0 name mv0 address ${mac} type macvlan mode bridge; ip link set mv0 up`,
    );
    const trace = await GuestTrace.start(guest, 'mv0');
    const own = phaseFrames(8, COUNT, 8, mac);
    await trace.send(phaseFrames(9, COUNT).flatMap((frame, index) => [frame, own[index] as Buffer]));
    const traced = await trace.end();
    await sh(guest, 'ip link del mv0');
    expect(traced.lines.meta.on).toContain('mv0 (macvlan)');
    expectWhole(traced, 8, COUNT);
    expectWhole(traced, 9, 0);
    expect(caused(traced, 8)).toBeGreaterThan(COUNT / 2);
  });

  further('a bridge: packets of its port', async () => {
    await sh(guest, 'ip link add br0 type bridge; ip link set eth0 master br0; ip link set br0 up');
    const trace = await GuestTrace.start(guest, 'br0');
    await trace.send(phaseFrames(10, COUNT));
    const traced = await trace.end();
    await sh(guest, 'ip link del br0');
    expect(traced.lines.meta.on).toContain('br0 (bridge)');
    expectWhole(traced, 10, COUNT);
    expect(ofOtherIrqs(traced, 10, irqs)).toEqual([]);
  });

  further('a bond: packets of both of its NICs', async () => {
    await sh(
      guest,
      'ip link add bond0 type bond mode balance-rr; for i in eth0 eth1; do ip link set $i down; ip link set $i master bond0; done; ip link set bond0 up; sleep 2',
    );
    const first = await receiveIrqs(guest);
    const [other] = await receiveIrqs(guest, 'eth1');
    const trace = await GuestTrace.start(guest, 'bond0');
    const frames = phaseFrames(12, COUNT, 1);
    await Promise.all([trace.send(phaseFrames(11, COUNT)), trace.send(frames, {}, byEth1())]);
    const traced = await trace.end();
    expectWhole(traced, 11, COUNT);
    expectWhole(traced, 12, COUNT);
    expect(ofOtherIrqs(traced, 11, first)).toEqual([]);
    expect(new Set(traced.phase(12).map(({ irq }) => irq))).toEqual(new Set([other]));
  });

  further('loopback: no interrupt, stamped at the first stage there is', async () => {
    const trace = await GuestTrace.start(guest, 'lo');
    const datagrams = `for i in 1 2 3 4 5; do echo x > /dev/udp/127.0.0.1/${SINK_PORT}; done; true`;
    await guest.run(['bash', '-c', datagrams]);
    const traced = await trace.end();
    const sent = traced.lines.packets.filter(({ flow }) => flow.destinationPort === SINK_PORT);
    expect(sent.length).toBe(5);
    expect(sent.filter(({ how, stage }) => how !== 'no-irq' || stage !== 'driver')).toEqual([]);
  });
});
