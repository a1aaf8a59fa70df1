import { describe, expect, it } from 'vitest';
import { parseInterrupts } from '../sys/interrupts.js';
import { nameMeaning } from './irq-names.js';

/** driver, the names of all its vectors, and for each: role and queue. */
const CASES: readonly (readonly [string, readonly (readonly [string, string, number?])[]])[] = [
  [
    'igb',
    [
      ['eth0', 'other'],
      ['eth0-rx-0', 'rx', 0],
      ['eth0-rx-1', 'rx', 1],
      ['eth0-tx-0', 'tx'],
    ],
  ],
  [
    'igb',
    [
      ['enp3s0', 'other'],
      ['enp3s0-TxRx-0', 'rxtx', 0],
      ['enp3s0-TxRx-7', 'rxtx', 7],
    ],
  ],
  [
    'ixgbe',
    [
      ['eth0-TxRx-11', 'rxtx', 11],
      ['eth0', 'other'],
    ],
  ],
  [
    'i40e',
    [
      ['i40e-eth0-TxRx-3', 'rxtx', 3],
      ['i40e-0000:01:00.0:misc', 'other'],
      ['i40e-0000:01:00.0:fdir-TxRx-0', 'other'],
    ],
  ],
  [
    'iavf',
    [
      ['iavf-eth0-TxRx-2', 'rxtx', 2],
      ['iavf-0000:01:02.0:mbx', 'other'],
    ],
  ],
  [
    'ice',
    [
      ['ice-eth0-TxRx-3', 'rxtx', 3],
      ['ice-0000:3b:00.0:misc', 'other'],
    ],
  ],
  [
    'e1000e',
    [
      ['eth0-rx-0', 'rx', 0],
      ['eth0-tx-0', 'tx'],
      ['eth0', 'other'],
    ],
  ],
  ['e1000e', [['eth0', 'rxtx', 0]]],
  ['r8169', [['enp2s0', 'rxtx', 0]]],
  [
    'virtio_net',
    [
      ['virtio2-config', 'other'],
      ['virtio2-input.1', 'rx', 1],
      ['virtio2-output.1', 'tx'],
    ],
  ],
  [
    'virtio_net',
    [
      ['virtio2-config', 'other'],
      ['virtio2-virtqueues', 'rxtx'],
    ],
  ],
  [
    'vmxnet3',
    [
      ['eth0-rxtx-0', 'rxtx', 0],
      ['eth0-rxtx-1', 'rxtx', 1],
      ['eth0-event-2', 'other'],
    ],
  ],
  [
    'mlx5_core',
    [
      ['mlx5_async0@pci:0000:03:00.0', 'other'],
      ['mlx5_comp3@pci:0000:03:00.0', 'rxtx', 3],
    ],
  ],
  [
    'bnxt_en',
    [
      ['eth0-TxRx-0', 'rxtx', 0],
      ['eth0-rx-1', 'rx', 1],
    ],
  ],
  [
    'ena',
    [
      ['ena-mgmnt@pci:0000:00:05.0', 'other'],
      ['eth0-Tx-Rx-5', 'rxtx', 5],
    ],
  ],
  [
    'tg3',
    [
      ['eth0-0', 'other'],
      ['eth0-txrx-1', 'rxtx', 0],
      ['eth0-rx-2', 'rx', 1],
    ],
  ],
  [
    'mana',
    [
      ['mana_hwc@pci:7870:00:00.0', 'other'],
      ['mana_q4@pci:7870:00:00.0', 'rxtx', 4],
    ],
  ],
  [
    'bnx2x',
    [
      ['eth0', 'other'],
      ['eth0-fp-2', 'rxtx', 2],
    ],
  ],
  [
    'cxgb4',
    [
      ['eth0-Rx3', 'rx', 3],
      ['0000:01:00.4', 'other'],
    ],
  ],
  [
    'xen-netfront',
    [
      ['eth0-q1-tx', 'tx'],
      ['eth0-q1-rx', 'rx', 1],
    ],
  ],
  [
    'gve',
    [
      ['gve-ntfy-blk0@pci:0000:00:04.0', 'tx'],
      ['gve-ntfy-blk1@pci:0000:00:04.0', 'tx'],
      ['gve-ntfy-blk2@pci:0000:00:04.0', 'rx', 0],
      ['gve-ntfy-blk3@pci:0000:00:04.0', 'rx', 1],
      ['gve-mgmnt@pci:0000:00:04.0', 'other'],
    ],
  ],
  [
    'atlantic',
    [
      ['eth0', 'rxtx'],
      ['eth0', 'rxtx'],
    ],
  ],
  [
    'stmmac',
    [
      ['eth0:mac', 'other'],
      ['eth0:rx-2', 'rx', 2],
      ['eth0:tx-2', 'tx'],
    ],
  ],
];

describe('names of interrupt handlers', () => {
  it.each(CASES)('say role and queue for %s', (driver, vectors) => {
    const names = vectors.map(([name]) => name);
    const meanings = names.map((name) => nameMeaning(name, { driver, names, rxQueues: 1 }));
    expect(meanings).toEqual(vectors.map(([, role, queue]) => ({ role, queue })));
  });

  it('do not tell the queue of a single vector with several queues', () => {
    expect(nameMeaning('eth0', { driver: 'igc', names: ['eth0'], rxQueues: 4 })).toEqual({
      role: 'rxtx',
      queue: undefined,
    });
  });
});

describe('/proc/interrupts', () => {
  it('reads the columns of 6.1, where the chip has no address and the hardware number is long', () => {
    const { cpus, lines } = parseInterrupts(
      [
        '            CPU0       CPU2       ',
        '   0:         35          0   IO-APIC    2-edge      timer',
        '   9:          0          0   IO-APIC    9-fasteoi   acpi',
        '  25:        308          4   PCI-MSI 1572865-edge      eth0-rx-0',
        '  30:          0          0  VMD-MSI 65536  spare',
        ' NMI:          0          0   Non-maskable interrupts',
      ].join('\n'),
    );
    expect(cpus).toEqual([0, 2]);
    expect(lines.get(25)).toEqual({
      irq: 25,
      counts: [308, 4],
      chip: 'PCI-MSI',
      trigger: 'edge',
      actions: ['eth0-rx-0'],
    });
    expect(lines.get(9)).toMatchObject({ trigger: 'level', actions: ['acpi'] });
    expect(lines.get(30)).toMatchObject({ chip: 'VMD-MSI', trigger: undefined });
    expect([...lines.keys()]).toEqual([0, 9, 25, 30]);
  });

  it('reads several handlers on one line, and the layout with a level column', () => {
    const { lines } = parseInterrupts(
      [
        '           CPU0',
        ' 16:         12  IR-IO-APIC   16-fasteoi   i801_smbus, eth1',
        ' 27:        900     GICv3  27 Level     arch_timer',
      ].join('\n'),
    );
    expect(lines.get(16)).toMatchObject({ chip: 'IR-IO-APIC', actions: ['i801_smbus', 'eth1'] });
    expect(lines.get(27)).toMatchObject({ chip: 'GICv3', trigger: 'level', actions: ['arch_timer'] });
  });
});
