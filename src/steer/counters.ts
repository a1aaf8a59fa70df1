/** A driver's own packet counters per receive queue, in the spellings of the drivers. Pure. */
import type { Counter } from '../sys/nic-settings.js';

/** The number is the queue. Whole names: `rx_queue_0_xdp_packets` is another counter. */
const SPELLINGS: readonly RegExp[] = [
  /^rx_queue_(\d+)_packets$/, // igb, igc, ixgbe, ice, virtio_net before 6.8
  /^rx(\d+)_packets$/, // mlx4, mlx5, virtio_net
  /^rx-(\d+)\.(?:rx_)?packets$/, // i40e, iavf
  /^queue_(\d+)_rx_cnt$/, // ena
  /^rx_packets\[(\d+)\]$/, // gve
  /^rxq(\d+)_pkt_num$/, // hns3
  /^r_vec_(\d+)_rx_pkts$/, // nfp
];
/** bnxt counts by kind: `[0]: rx_ucast_packets`. */
const BY_KIND = /^\[(\d+)\]: rx_[umb]cast_packets$/;
/** vmxnet3 prints a heading whose value is the queue, then counters under it. */
const HEADING = 'Rx Queue#';
const UNDER_HEADING = /^[umb]cast pkts rx$/;

/** Packets by queue; empty where the driver counts none that are known here. */
export function queuePackets(counters: readonly Counter[]): ReadonlyMap<number, number> {
  const packets = new Map<number, number>();
  const add = (queue: number, count: number): void =>
    void packets.set(queue, (packets.get(queue) ?? 0) + count);
  let heading: number | undefined;
  for (const [name, value] of counters) {
    if (name.endsWith('#')) heading = name === HEADING ? value : undefined;
    else if (heading !== undefined && UNDER_HEADING.test(name)) add(heading, value);
    const queue = [...SPELLINGS, BY_KIND].map((one) => one.exec(name)?.[1]).find((one) => one !== undefined);
    if (queue !== undefined) add(Number(queue), value);
  }
  return packets;
}

/** What each queue's counter grew by; queues that did not grow are there with 0. */
export function grown(
  before: ReadonlyMap<number, number>,
  after: ReadonlyMap<number, number>,
): ReadonlyMap<number, number> {
  return new Map([...after].map(([queue, count]) => [queue, count - (before.get(queue) ?? 0)]));
}
