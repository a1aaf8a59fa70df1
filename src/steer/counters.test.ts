import { describe, expect, it } from 'vitest';
import type { Counter } from '../sys/nic-settings.js';
import { grown, queuePackets } from './counters.js';

/** Names as the drivers' own sources have them, each with neighbours that must not be taken for packets. */
const DRIVERS: readonly [string, readonly Counter[]][] = [
  [
    'igb',
    [
      ['rx_packets', 30],
      ['rx_queue_0_packets', 10],
      ['rx_queue_0_bytes', 640],
      ['rx_queue_0_drops', 1],
      ['rx_queue_1_packets', 20],
    ],
  ],
  [
    'virtio_net',
    [
      ['rx0_packets', 10],
      ['rx0_bytes', 99],
      ['rx0_xdp_packets', 5],
      ['rx1_packets', 20],
      ['tx0_packets', 7],
    ],
  ],
  [
    'mlx5_core',
    [
      ['rx_packets', 30],
      ['rx0_packets', 10],
      ['rx0_lro_packets', 3],
      ['rx0_xsk_packets', 4],
      ['rx1_packets', 20],
    ],
  ],
  [
    'i40e',
    [
      ['rx-0.packets', 10],
      ['rx-0.bytes', 99],
      ['rx-1.packets', 20],
      ['tx-0.packets', 7],
    ],
  ],
  [
    'i40e before 5.1',
    [
      ['rx-0.rx_packets', 10],
      ['rx-1.rx_packets', 20],
    ],
  ],
  [
    'ena',
    [
      ['queue_0_rx_cnt', 10],
      ['queue_0_rx_bytes', 99],
      ['queue_0_tx_cnt', 7],
      ['queue_1_rx_cnt', 20],
    ],
  ],
  [
    'bnxt_en',
    [
      ['[0]: rx_ucast_packets', 8],
      ['[0]: rx_mcast_packets', 1],
      ['[0]: rx_bcast_packets', 1],
      ['[0]: tx_ucast_packets', 7],
      ['[0]: rx_ucast_bytes', 99],
      ['[1]: rx_ucast_packets', 20],
    ],
  ],
  [
    'vmxnet3',
    [
      ['Tx Queue#', 0],
      ['TSO pkts tx', 5],
      ['ucast pkts tx', 6],
      ['Rx Queue#', 0],
      ['LRO pkts rx', 3],
      ['ucast pkts rx', 7],
      ['ucast bytes rx', 99],
      ['mcast pkts rx', 2],
      ['bcast pkts rx', 1],
      ['pkts rx OOB', 9],
      ['Rx Queue#', 1],
      ['ucast pkts rx', 20],
      ['tx timeout count', 0],
    ],
  ],
];

describe('packets per queue', () => {
  it.each(DRIVERS)('are found among the counters of %s', (_, counters) => {
    expect([...queuePackets(counters)]).toEqual([
      [0, 10],
      [1, 20],
    ]);
  });

  it('are not there where the driver counts none', () => {
    expect(
      queuePackets([
        ['rx_packets', 5],
        ['rx_no_dma_resources', 0],
      ]).size,
    ).toBe(0);
  });

  it('grow', () => {
    expect([
      ...grown(
        new Map([
          [0, 10],
          [1, 20],
        ]),
        new Map([
          [0, 10],
          [1, 25],
          [2, 3],
        ]),
      ),
    ]).toEqual([
      [0, 0],
      [1, 5],
      [2, 3],
    ]);
  });
});
