import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { RxError } from '../base/errors.js';
import { savedFiles } from '../sys/saved-files.js';
import { defaultRouteInterface, irqsOfQueue, listNics, nicOfIrq, resolveNic } from './resolve.js';

const saved = (name: string) =>
  savedFiles(readFileSync(new URL(`../../test/kernels/${name}.txt`, import.meta.url), 'utf8'));
const virtio = saved('6.18-virtio-net');

function failure(act: () => unknown): RxError {
  try {
    act();
  } catch (error) {
    if (error instanceof RxError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('an interface on a virtio device', () => {
  it('takes its interrupts from the PCI function above the virtio device', () => {
    const nic = resolveNic('eth0', virtio);
    expect(nic).toMatchObject({
      ifindex: 4,
      driver: 'virtio_net',
      bus: '0000:00:03.0',
      rxQueues: 1,
      lower: [],
    });
    expect(nic.irqs.map((irq) => [irq.irq, irq.role, irq.queue, irq.actions[0]])).toEqual([
      [37, 'other', undefined, 'virtio2-config'],
      [38, 'rx', 0, 'virtio2-input.0'],
      [39, 'tx', undefined, 'virtio2-output.0'],
    ]);
  });

  it('carries affinity, chip, trigger and counts of the line', () => {
    const rx = resolveNic('eth0', virtio).irqs[1];
    expect(rx).toMatchObject({
      affinity: '0-1',
      effectiveCpu: 1,
      chip: 'PCI-MSIX-0000:00:03.0',
      trigger: 'edge',
      node: undefined,
    });
    expect(rx?.perCpu).toEqual([{ cpu: 1, count: rx?.count }]);
  });
});

describe('saved machines', () => {
  const table = (name: string) =>
    resolveNic('eth0', saved(name)).irqs.map((irq) => [irq.actions.join(), irq.role, irq.queue, irq.chip]);

  it('with igb: one vector per queue and direction, and one for the link', () => {
    const chip = 'PCI-MSIX-0000:00:04.0';
    const vectors = (name: string) => [
      ['eth0', 'other', undefined, name],
      ['eth0-rx-0', 'rx', 0, name],
      ['eth0-rx-1', 'rx', 1, name],
      ['eth0-tx-0', 'tx', undefined, name],
      ['eth0-tx-1', 'tx', undefined, name],
    ];
    expect(table('6.12-igb')).toEqual(vectors(chip));
    expect(table('5.10-igb')).toEqual(vectors('PCI-MSI'));
    expect(resolveNic('eth0', saved('6.12-igb'))).toMatchObject({
      driver: 'igb',
      bus: '0000:00:04.0',
      rxQueues: 2,
    });
  });

  it('with e1000e and vmxnet3', () => {
    expect(table('6.12-e1000e').map(([name, role, queue]) => [name, role, queue])).toEqual([
      ['eth0-rx-0', 'rx', 0],
      ['eth0-tx-0', 'tx', undefined],
      ['eth0', 'other', undefined],
    ]);
    expect(table('6.12-vmxnet3').map(([name, role, queue]) => [name, role, queue])).toEqual([
      ['eth0-rxtx-0', 'rxtx', 0],
      ['eth0-rxtx-1', 'rxtx', 1],
      ['eth0-event-2', 'other', undefined],
    ]);
  });

  it('without a default route say so', () => {
    expect(failure(() => defaultRouteInterface(saved('6.12-igb'))).code).toBe('RXS_NO_DEFAULT_ROUTE');
  });
});

describe('interfaces without interrupts', () => {
  it('have an empty list and a reason', () => {
    expect(resolveNic('lo', virtio)).toMatchObject({
      irqs: [],
      driver: undefined,
      noIrqs: 'lo is a software interface: no device, so no interrupts',
    });
  });

  it('name the interfaces below a stacked one', () => {
    const files = savedFiles(`
/sys/class/net/eth0.5/ifindex = 9
/sys/class/net/eth0.5/uevent = DEVTYPE=vlan
/sys/class/net/eth0.5/lower_eth0/
`);
    const nic = resolveNic('eth0.5', files);
    expect(nic.lower).toEqual(['eth0']);
    expect(nic.noIrqs).toBe('eth0.5 is a vlan and has no interrupts of its own: trace eth0');
  });

  it('say when the reason is that the interface is down', () => {
    const files = savedFiles(`
/sys/class/net/eth1/ifindex = 3
/sys/class/net/eth1/flags = 0x1002
/sys/class/net/eth1/device -> ../../../devices/pci0/0000:00:04.0
/sys/devices/pci0/0000:00:04.0/irq = 11
/sys/devices/pci0/0000:00:04.0/subsystem -> ../../../bus/pci
/sys/bus/pci/
/proc/interrupts:
	           CPU0
	 11:          7   IO-APIC  11-fasteoi   uhci_hcd:usb1, snd_hda
`);
    expect(resolveNic('eth1', files)).toMatchObject({
      irqs: [],
      noIrqs: expect.stringMatching(/eth1 is down/),
    });
  });
});

describe('a shared INTx line', () => {
  it('belongs to the NIC whose handler is on it, and shows everyone on it', () => {
    const files = savedFiles(`
/sys/class/net/eth1/ifindex = 3
/sys/class/net/eth1/flags = 0x1003
/sys/class/net/eth1/queues/rx-0/
/sys/class/net/eth1/device -> ../../../devices/pci0/0000:00:04.0
/sys/devices/pci0/0000:00:04.0/irq = 11
/proc/interrupts:
	           CPU0       CPU3
	 11:          7          5   IO-APIC  11-fasteoi   uhci_hcd:usb1, eth1
`);
    expect(resolveNic('eth1', files).irqs).toMatchObject([
      {
        irq: 11,
        actions: ['uhci_hcd:usb1', 'eth1'],
        role: 'rxtx',
        queue: 0,
        trigger: 'level',
        count: 12,
        perCpu: [
          { cpu: 0, count: 7 },
          { cpu: 3, count: 5 },
        ],
      },
    ]);
  });
});

describe('the way back from an interrupt', () => {
  it('finds the interface', () => {
    const { nic, irq } = nicOfIrq(38, virtio);
    expect([nic.name, irq.queue]).toEqual(['eth0', 0]);
  });

  it('says whose an interrupt is that is not a NIC', () => {
    const error = failure(() => nicOfIrq(36, virtio));
    expect(error.code).toBe('RXS_IRQ_NOT_NIC');
    expect(error.exitCode).toBe(2);
    expect(error.message).toMatch(/virtio1-req\.0 on 0000:00:02\.0/);
    expect(error.hint).toMatch(/38 \(virtio2-input\.0\)/);
  });

  it('tells an unknown interrupt from a foreign one', () => {
    expect(failure(() => nicOfIrq(999, virtio)).code).toBe('RXS_NO_IRQ');
  });
});

describe('choosing', () => {
  it('offers the nearest interface name first', () => {
    const error = failure(() => resolveNic('eht0', virtio));
    expect([error.code, error.exitCode]).toEqual(['RXS_NO_IFACE', 2]);
    expect(error.hint).toMatch(/^pick one of: eth0, /);
  });

  it('does not leave the folder of interfaces', () => {
    expect(failure(() => resolveNic('../../devices', virtio)).code).toBe('RXS_NO_IFACE');
  });

  it('takes the default route, IPv4 before IPv6, lowest metric first, never a reject route', () => {
    expect(defaultRouteInterface(virtio)).toBe('eth0');
    const two = savedFiles(`
/proc/net/route:
	Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
	wlan0	00000000	0100000A	0003	0	0	600	00000000	0	0	0
	eth7	00000000	0100000A	0003	0	0	100	00000000	0	0	0
	eth9	00000000	00000000	0201	0	0	1	00000000	0	0	0
`);
    expect(defaultRouteInterface(two)).toBe('eth7');
    const six = savedFiles(`
/proc/net/ipv6_route:
	00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo
	00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000400 00000002 00000000 00000003     eth3
`);
    expect(defaultRouteInterface(six)).toBe('eth3');
  });

  it('says so when there is no default route', () => {
    expect(failure(() => defaultRouteInterface(savedFiles(''))).code).toBe('RXS_NO_DEFAULT_ROUTE');
  });

  it('gives the interrupts of a queue, and the range when there is no such queue', () => {
    const nic = resolveNic('eth0', virtio);
    expect(irqsOfQueue(nic, 0).map((irq) => irq.irq)).toEqual([38]);
    const error = failure(() => irqsOfQueue(nic, 1));
    expect([error.code, error.hint]).toEqual(['RXS_NO_QUEUE', 'only queue 0 exists']);
  });

  it('lists interfaces with interrupts first', () => {
    expect(listNics(virtio).map((nic) => nic.name)).toEqual(['eth0', 'ifb0', 'ifb1', 'lo']);
  });
});
