/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * The pcap-filter expression, in front of the ring. It looks at a packet as a packet socket would
 * see it, so that a filter means here what it means in a live tcpdump: from the link layer on, and
 * without its outer VLAN tag, which skb_vlan_untag() and the NIC take out of the bytes before
 * packet sockets see them.
 */
#pragma once
#include "lib/slot.h"

#define ETH_HLEN 14
#define ETH_ADDRESSES 12
#define VLAN_HLEN 4
#define ETH_P_8021Q_BE 0x0081
#define ETH_P_8021AD_BE 0xa888
#define VLAN_PRESENT 0x10000

/* More than any driver pulls before it hands over: then the MAC header was never set. */
#define MOST_PULLED 128

struct rx_scratch {
	u8 bytes[RX_FILTER_BYTES];
};

/* One per CPU, used between ring_enter and ring_leave. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* possible CPUs with a filter, set before loading */
	__type(key, u32);
	__type(value, struct rx_scratch);
} scratch SEC(".maps");

/* The tag that the NIC took out. Since 6.2 (354259fa73e2 "net: remove skb->vlan_present") a tag is
 * there when its protocol or its TCI is; before, a bit says so and the fields may be old. */
static __always_inline u32 stripped_tag(struct sk_buff *skb)
{
	u32 present;

	if (bpf_core_field_exists(skb->vlan_present))
		present = BPF_CORE_READ_BITFIELD(skb, vlan_present);
	else
		present = skb->vlan_proto || skb->vlan_tci;
	return present ? VLAN_PRESENT | skb->vlan_tci : 0;
}

/* True when the expression lets the packet through. */
static __always_inline int matches(struct sk_buff *skb, u32 cpu)
{
	struct rx_scratch *to = bpf_map_lookup_elem(&scratch, &cpu);
	const u8 *from = skb->data;
	u32 length = skb->len, linear = length - skb->data_len;
	u32 most = rx.filter_bytes, vlan = 0, cut = 0;

	if (!to)
		return 0;
	if (rx.filter_ethernet) {
		u64 pulled = from - (skb->head + skb->mac_header);

		if (pulled > MOST_PULLED)
			pulled = ETH_HLEN;
		from -= pulled;
		length += pulled;
		linear += pulled;
		vlan = stripped_tag(skb);
		if (!vlan &&
		    (skb->protocol == ETH_P_8021Q_BE || skb->protocol == ETH_P_8021AD_BE)) {
			u16 tci = 0;

			bpf_probe_read_kernel(&tci, sizeof(tci), from + ETH_HLEN);
			vlan = VLAN_PRESENT | __builtin_bswap16(tci);
			cut = VLAN_HLEN;
			length -= cut;
			linear -= cut;
			bpf_probe_read_kernel(to->bytes, ETH_ADDRESSES, from);
		}
	}
	u32 caplen = linear < most ? linear : most;

	if (!cut) {
		bpf_probe_read_kernel(to->bytes, caplen, from);
	} else if (caplen > ETH_ADDRESSES) {
		bpf_probe_read_kernel(to->bytes + ETH_ADDRESSES, caplen - ETH_ADDRESSES,
				      from + ETH_ADDRESSES + cut);
	}
	return rx_filter(to->bytes, caplen, length, vlan);
}
