/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * The pcap-filter expression, in front of the ring. It looks at a packet as a packet socket would
 * see it, so that a filter means here what it means in a live tcpdump: from the link layer on, and
 * without its outer VLAN tag, which skb_vlan_untag() and the NIC take out of the bytes before
 * packet sockets see them.
 */
#pragma once
#include "lib/pages.h"
#include "lib/slot.h"

#define ETH_HLEN 14
#define VLAN_HLEN 4
#define ETH_P_8021Q_BE 0x0081
#define ETH_P_8021AD_BE 0xa888
#define VLAN_PRESENT 0x10000

/* More than any driver pulls before it hands over: then the MAC header was never set. */
#define MOST_PULLED 128

/* The packet begins at VLAN_HLEN, or in front of that if it has a tag to be taken out. Twice the
 * room, because the verifier adds up the most that lies in the linear part and the most that lies
 * in a fragment. */
struct rx_scratch {
	u8 bytes[2 * (RX_FILTER_BYTES + VLAN_HLEN) + VLAN_HLEN + 4];
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

/* True when the expression lets the packet through; counted otherwise. */
static __always_inline int matches(struct rx_cpu *cpu, u32 id, struct sk_buff *skb)
{
	struct rx_scratch *to = bpf_map_lookup_elem(&scratch, &id);
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
			cut = VLAN_HLEN;
			most = (most < ETH_HLEN ? ETH_HLEN : most) + cut;
		}
	}
	u8 *raw = to->bytes + VLAN_HLEN - cut;
	u32 have = linear < most ? linear : most;

	if (have > RX_FILTER_BYTES + VLAN_HLEN) /* known already, but not to the verifier */
		return 0;
	bpf_probe_read_kernel(raw, have, from);
	if (have < most && skb->data_len)
		have += from_fragment(skb, raw + have, most - have, RX_FILTER_BYTES + VLAN_HLEN);
	if (cut) {
		u32 *words = (u32 *)to->bytes;

		vlan = VLAN_PRESENT | __builtin_bswap16(*(u16 *)(to->bytes + ETH_HLEN));
		words[3] = words[2];
		words[2] = words[1];
		words[1] = words[0];
		have = have < cut ? 0 : have - cut;
		length -= cut;
		most -= cut;
	}
	if (rx_filter(to->bytes + VLAN_HLEN, have, length, vlan))
		return 1;
	if (have < most && have < length)
		cpu->filtered.unreadable++;
	else
		cpu->filtered.unmatched++;
	return 0;
}
