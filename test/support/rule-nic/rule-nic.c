// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * A network device that takes n-tuple rules and obeys them, which no NIC that QEMU emulates does. What is sent on it
 * comes back as received, on the queue that its rules say, else on queue 0.
 *
 * obeys=0: rules are accepted and kept, and change nothing. picks=1: the driver picks the location of a rule.
 */
#include <linux/etherdevice.h>
#include <linux/ethtool.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#define QUEUES 4
#define LOCATIONS 16

static bool obeys = true;
module_param(obeys, bool, 0644);
static bool picks;
module_param(picks, bool, 0644);

static struct ethtool_rx_flow_spec rules[LOCATIONS];
static bool used[LOCATIONS];
static struct net_device *device;

/* The header union of a rule, filled from a packet. */
static u32 packet_flow(const struct sk_buff *skb, union ethtool_flow_union *flow)
{
	const struct ethhdr *eth = (void *)skb->data;
	const struct udphdr *ports;

	memset(flow, 0, sizeof(*flow));
	if (eth->h_proto == htons(ETH_P_IP)) {
		const struct iphdr *ip = (void *)(eth + 1);

		if (ip->protocol != IPPROTO_UDP && ip->protocol != IPPROTO_TCP)
			return 0;
		ports = (void *)ip + ip->ihl * 4;
		flow->udp_ip4_spec.ip4src = ip->saddr;
		flow->udp_ip4_spec.ip4dst = ip->daddr;
		flow->udp_ip4_spec.psrc = ports->source;
		flow->udp_ip4_spec.pdst = ports->dest;
		return ip->protocol == IPPROTO_UDP ? UDP_V4_FLOW : TCP_V4_FLOW;
	}
	if (eth->h_proto == htons(ETH_P_IPV6)) {
		const struct ipv6hdr *ip = (void *)(eth + 1);

		if (ip->nexthdr != IPPROTO_UDP && ip->nexthdr != IPPROTO_TCP)
			return 0;
		ports = (void *)(ip + 1);
		memcpy(flow->udp_ip6_spec.ip6src, &ip->saddr, 16);
		memcpy(flow->udp_ip6_spec.ip6dst, &ip->daddr, 16);
		flow->udp_ip6_spec.psrc = ports->source;
		flow->udp_ip6_spec.pdst = ports->dest;
		return ip->nexthdr == IPPROTO_UDP ? UDP_V6_FLOW : TCP_V6_FLOW;
	}
	return 0;
}

static u32 queue_of(const struct sk_buff *skb)
{
	union ethtool_flow_union flow;
	u32 type = packet_flow(skb, &flow);

	if (!type || !obeys || !(device->features & NETIF_F_NTUPLE))
		return 0;
	for (int i = 0; i < LOCATIONS; i++) {
		bool match = used[i] && rules[i].flow_type == type;

		for (int b = 0; match && b < sizeof(flow.hdata); b++)
			match = !((flow.hdata[b] ^ rules[i].h_u.hdata[b]) & rules[i].m_u.hdata[b]);
		if (match)
			return rules[i].ring_cookie;
	}
	return 0;
}

static netdev_tx_t transmit(struct sk_buff *skb, struct net_device *dev)
{
	u32 queue = queue_of(skb);

	skb_orphan(skb);
	skb->protocol = eth_type_trans(skb, dev);
	skb_record_rx_queue(skb, queue);
	netif_rx(skb);
	return NETDEV_TX_OK;
}

static int set_features(struct net_device *dev, netdev_features_t features)
{
	if (!(features & NETIF_F_NTUPLE))
		memset(used, 0, sizeof(used));
	return 0;
}

static int get_rxnfc(struct net_device *dev, struct ethtool_rxnfc *info, u32 *locations)
{
	u32 count = 0;

	switch (info->cmd) {
	case ETHTOOL_GRXRINGS:
		info->data = QUEUES;
		return 0;
	case ETHTOOL_GRXCLSRLCNT:
		for (int i = 0; i < LOCATIONS; i++)
			count += used[i];
		info->rule_cnt = count;
		info->data = LOCATIONS | (picks ? RX_CLS_LOC_SPECIAL : 0);
		return 0;
	case ETHTOOL_GRXCLSRULE:
		if (info->fs.location >= LOCATIONS || !used[info->fs.location])
			return -ENOENT;
		info->fs = rules[info->fs.location];
		return 0;
	case ETHTOOL_GRXCLSRLALL:
		info->data = LOCATIONS;
		for (int i = 0; i < LOCATIONS; i++) {
			if (!used[i])
				continue;
			if (count == info->rule_cnt)
				return -EMSGSIZE;
			locations[count++] = i;
		}
		info->rule_cnt = count;
		return 0;
	}
	return -EOPNOTSUPP;
}

static int set_rxnfc(struct net_device *dev, struct ethtool_rxnfc *info)
{
	u32 at = info->fs.location;

	if (info->cmd == ETHTOOL_SRXCLSRLDEL) {
		if (at >= LOCATIONS || !used[at])
			return -ENOENT;
		used[at] = false;
		return 0;
	}
	if (info->cmd != ETHTOOL_SRXCLSRLINS || !(dev->features & NETIF_F_NTUPLE))
		return -EOPNOTSUPP;
	if (at == RX_CLS_LOC_ANY && picks)
		for (at = 0; at < LOCATIONS && used[at]; at++)
			;
	if (at >= LOCATIONS || info->fs.ring_cookie >= QUEUES)
		return -EINVAL;
	/* As some NICs: ports of TCP and UDP, nothing else. */
	if (info->fs.flow_type != UDP_V4_FLOW && info->fs.flow_type != TCP_V4_FLOW &&
	    info->fs.flow_type != UDP_V6_FLOW && info->fs.flow_type != TCP_V6_FLOW)
		return -EOPNOTSUPP;
	info->fs.location = at;
	rules[at] = info->fs;
	used[at] = true;
	return 0;
}

static const struct net_device_ops device_ops = {
	.ndo_start_xmit = transmit,
	.ndo_set_features = set_features,
};

static const struct ethtool_ops ethtool = {
	.get_rxnfc = get_rxnfc,
	.set_rxnfc = set_rxnfc,
};

static int __init start(void)
{
	int failed;

	device = alloc_etherdev_mqs(0, 1, QUEUES);
	if (!device)
		return -ENOMEM;
	strscpy(device->name, "rule0", IFNAMSIZ);
	device->netdev_ops = &device_ops;
	device->ethtool_ops = &ethtool;
	device->flags |= IFF_NOARP;
	device->hw_features |= NETIF_F_NTUPLE;
	eth_hw_addr_random(device);
	failed = register_netdev(device);
	if (failed)
		free_netdev(device);
	return failed;
}

static void __exit stop(void)
{
	unregister_netdev(device);
	free_netdev(device);
}

module_init(start);
module_exit(stop);
MODULE_DESCRIPTION("a network device for tests that obeys n-tuple rules");
MODULE_LICENSE("Dual MIT/GPL");
