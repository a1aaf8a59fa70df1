/** The shell text that makes the guest's NIC ready, run by the agent before it says so. */
import { quote } from './guest-scripts.js';
import { ADDRESSES } from './frames.js';
import type { NicSpec } from './nics.js';

/** Name of the NIC under test in every guest. */
export const GUEST_IFACE = 'eth0';

/** Settings so that only the traffic we send arrives, and none of it is lost for want of a neighbour or of buffers. */
export function setupScript(nic: NicSpec | undefined, folder: string, extra = ''): string {
  const quietly = [
    `cd ${quote(folder)}`,
    'hostname rxlab',
    'ip link set lo up',
    'echo 3 >/proc/sys/kernel/printk',
    // Room for bursts in sockets: what the lab counts is the receive path, not a full socket.
    'for f in rmem_max rmem_default; do echo 33554432 >/proc/sys/net/core/$f; done',
    'echo 100000 >/proc/sys/net/core/netdev_max_backlog',
  ];
  if (nic === undefined) return [...quietly, extra, ''].join('\n');
  const i = GUEST_IFACE;
  const lines = [
    ...quietly,
    // No IPv6 chatter of its own: no router search, no link-local address, no duplicate-address wait.
    `for f in accept_ra autoconf accept_dad router_solicitations; do echo 0 >/proc/sys/net/ipv6/conf/${i}/$f; done`,
    `echo 1 >/proc/sys/net/ipv6/conf/${i}/addr_gen_mode`,
    ...(nic.model.queues === 'ethtool' ? [`ethtool -L ${i} combined ${nic.queues}`] : []),
    // With one ring full and another with room, an Intel NIC drops. By default that takes a CPU that the host does not
    // run for a quarter of a second, at a frame a millisecond.
    ...(nic.model.rxRing === undefined ? [] : [`ethtool -G ${i} rx ${nic.model.rxRing}`]),
    `ip link set ${i} up`,
    `ip addr add ${ADDRESSES.guest4}/24 dev ${i}`,
    `ip addr add ${ADDRESSES.guest6}/64 dev ${i} nodad`,
    `ip neigh replace ${ADDRESSES.peer4} lladdr ${ADDRESSES.peerMac} dev ${i} nud permanent`,
    `ip neigh replace ${ADDRESSES.peer6} lladdr ${ADDRESSES.peerMac} dev ${i} nud permanent`,
    ...(nic.model.hashesPorts && nic.queues > 1
      ? ['udp4', 'udp6'].map((flow) => `ethtool -N ${i} rx-flow-hash ${flow} sdfn`)
      : []),
    // Frames before the link is up would be dropped.
    `n=0; while [ "$(cat /sys/class/net/${i}/carrier 2>/dev/null)" != 1 ] && [ $n -lt 400 ]; do n=$((n+1)); sleep 0.05; done`,
    extra,
    '',
  ];
  return lines.join('\n');
}
