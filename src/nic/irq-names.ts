/**
 * What an interrupt serves, from the name its driver gave it. The kernel has no field for it; the name is the only
 * place where a driver says "receive, queue 3". One row per naming scheme; the first row that matches wins.
 */
import type { IrqRole } from './nic.js';

/** What a handler name says. */
export interface NameMeaning {
  readonly role: IrqRole;
  /** Receive queue; undefined for transmit-only, `other`, and where the name has no number. */
  readonly queue: number | undefined;
}

/** What else is needed to read a name. */
export interface NameContext {
  readonly driver: string | undefined;
  /** All handler names of this device. */
  readonly names: readonly string[];
  readonly rxQueues: number;
}

interface Row {
  /** Drivers seen to use the scheme, for the reader. */
  readonly drivers: readonly string[];
  /** The scheme means something else elsewhere: only for `drivers`. */
  readonly only?: true;
  /** Group 1, where there is one, is the number in the name. */
  readonly pattern: RegExp;
  readonly role: IrqRole;
  /** From the number to the receive queue; undefined = the number itself. */
  readonly queue?: (number: number, context: NameContext) => number | undefined;
}

const none = (): undefined => undefined;

const ROWS: readonly Row[] = [
  {
    drivers: [
      'virtio_net',
      'vmxnet3',
      'i40e',
      'iavf',
      'ice',
      'ena',
      'gve',
      'mana',
      'mlx5_core',
      'nfp',
      'stmmac',
    ],
    pattern:
      /-config$|-event-\d+$|:misc$|:mbx$|-misc|-mbx|fdir|mgmnt|_hwc@|_async\d*@|_pages@|_cmd@|-async@|-lsc$|-exn$|-err$|-notify$|:mac$|:wol$|:lpi$/,
    role: 'other',
  },
  // drivers/virtio/virtio_pci_common.c names vectors after the virtqueue, never after the interface.
  { drivers: ['virtio_net'], pattern: /^virtio\d+-input\.(\d+)$/, role: 'rx' },
  { drivers: ['virtio_net'], pattern: /^virtio\d+-output\.(\d+)$/, role: 'tx' },
  { drivers: ['virtio_net'], pattern: /^virtio\d+-virtqueues$/, role: 'rxtx', queue: none },
  // tg3: vector 0 is link and errors; vector n receives on queue n-1 (tg3_rx: tnapi - &tp->napi[1]).
  { drivers: ['tg3'], only: true, pattern: /-txrx-(\d+)$/, role: 'rxtx', queue: (n) => n - 1 },
  { drivers: ['tg3'], only: true, pattern: /-rx-(\d+)$/, role: 'rx', queue: (n) => n - 1 },
  { drivers: ['tg3'], only: true, pattern: /-0$/, role: 'other' },
  // gve: the first half of the notify blocks is transmit, the second receive (gve_rx_idx_to_ntfy).
  { drivers: ['gve'], pattern: /^gve-ntfy-blk(\d+)@/, role: 'rxtx', queue: gveQueue },
  { drivers: ['gve'], pattern: /-ntfy-block\.(\d+)$/, role: 'rxtx', queue: gveQueue },
  { drivers: ['mlx5_core'], pattern: /^mlx5_comp(\d+)@/, role: 'rxtx' },
  { drivers: ['mlx4_core'], pattern: /^mlx4-(?:comp-)?\d+@/, role: 'rxtx', queue: none },
  { drivers: ['mana'], pattern: /^mana_q(\d+)@/, role: 'rxtx' },
  {
    drivers: [
      'igb',
      'igc',
      'ixgbe',
      'ixgbevf',
      'i40e',
      'iavf',
      'ice',
      'bnxt_en',
      'ena',
      'vmxnet3',
      'nfp',
      'hns3',
    ],
    pattern: /-(?:TxRx|Tx-Rx|txrx|rxtx)-(\d+)$/,
    role: 'rxtx',
  },
  { drivers: ['bnx2x', 'qede'], pattern: /-fp-(\d+)$/, role: 'rxtx' },
  {
    drivers: ['igb', 'e1000e', 'i40e', 'vmxnet3', 'bnxt_en', 'enic', 'stmmac'],
    pattern: /[-:][rR]x-(\d+)$/,
    role: 'rx',
  },
  {
    drivers: ['igb', 'e1000e', 'i40e', 'vmxnet3', 'bnxt_en', 'enic', 'stmmac'],
    pattern: /[-:][tT]x-(\d+)$/,
    role: 'tx',
  },
  { drivers: ['cxgb4'], pattern: /-Rx(\d+)$/, role: 'rx' },
  { drivers: ['xen-netfront'], pattern: /-q(\d+)-rx$/, role: 'rx' },
  { drivers: ['xen-netfront'], pattern: /-q(\d+)-tx$/, role: 'tx' },
  { drivers: ['be2net', 'xen-netfront'], pattern: /-q(\d+)$/, role: 'rxtx' },
  { drivers: ['bnx2', 'sfc'], only: true, pattern: /-(\d+)$/, role: 'rxtx' },
];

function gveQueue(block: number, { names }: NameContext): number | undefined {
  const half = names.filter((name) => /ntfy-bl(?:k|ock\.)\d+/.test(name)).length / 2;
  return block >= half ? block - half : undefined;
}

/**
 * Role and receive queue of a handler name. A bare name (`eth0`) beside others is link and errors; alone, or on every
 * vector (atlantic), it is both directions.
 */
export function nameMeaning(name: string, context: NameContext): NameMeaning {
  for (const row of ROWS) {
    if (row.only && !row.drivers.includes(context.driver ?? '')) continue;
    const match = row.pattern.exec(name);
    if (match === null) continue;
    return meaningOf(row, match[1] === undefined ? undefined : Number(match[1]), context);
  }
  const alone = context.names.every((other) => other === name);
  if (!alone) return { role: 'other', queue: undefined };
  return { role: 'rxtx', queue: context.names.length <= 1 && context.rxQueues === 1 ? 0 : undefined };
}

function meaningOf(row: Row, number: number | undefined, context: NameContext): NameMeaning {
  if (row.role === 'other' || row.role === 'tx' || number === undefined)
    return { role: row.role, queue: undefined };
  const queue = row.queue === undefined ? number : row.queue(number, context);
  // A gve block of the first half has a number but no receive queue: it only transmits.
  if (queue === undefined && row.queue === gveQueue) return { role: 'tx', queue };
  return { role: row.queue === gveQueue ? 'rx' : row.role, queue };
}
