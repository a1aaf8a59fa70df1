/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * The packet at the driver stage. This is the path that runs once per packet:
 * one clock read, the fields, one store of each. No hash map, no copy through a helper where the
 * kernel can do without.
 */
#pragma once

#define ETH_P_IP_BE 0x0008   /* 0x0800 in network order */
#define IPV4_NO_OPTIONS 0x45 /* version 4, header of five words */

#define MOST_INDEX 255 /* of rx_packet.index */

/* Copies what a flow needs and returns how many bytes that is: an IPv4 packet without options and
 * VLAN tag has its ports in the first 24 bytes, so most packets cost one cache line in the ring. */
static __always_inline u32 fetch_header(u64 *to, struct sk_buff *skb, u32 protocol, enum fetch how)
{
	if (how == FETCH_CAST) {
		/* pt_regs: a struct of plain words that every x86 kernel has in its BTF. */
		struct pt_regs *words =
		    bpf_rdonly_cast(skb->data, bpf_core_type_id_kernel(struct pt_regs));
		u64 first = words->r15;

		to[0] = first;
		to[1] = words->r14;
		to[2] = words->r13;
		if (protocol == ETH_P_IP_BE && (first & 0xff) == IPV4_NO_OPTIONS) {
			if (!rx.tracked)
				return RX_SHORT_HEADER_BYTES;
			to[3] = words->r12;
			to[4] = words->bp;
			return RX_LONG_SHORT_HEADER_BYTES;
		}
		to[3] = words->r12;
		to[4] = words->bp;
		to[5] = words->bx;
		if (rx.tracked) {
			to[6] = words->r11;
			to[7] = words->r10;
		}
	} else {
		bpf_probe_read_kernel(to, rx.tracked ? RX_LONG_HEADER_BYTES : RX_HEADER_BYTES,
				      skb->data);
	}
	return rx.tracked ? RX_LONG_HEADER_BYTES : RX_HEADER_BYTES;
}

/* The same where the driver has left headers in a page: virtio_net pulls no more than the Ethernet
 * header of a frame that fills its buffer. Returns how many bytes there are. */
static __always_inline u32 fetch_paged(u8 *to, struct sk_buff *skb, u32 linear)
{
	u32 most = rx.tracked ? RX_LONG_HEADER_BYTES : RX_HEADER_BYTES;

	/* Known already, but not to older verifiers, and the compiler would leave it out. */
	barrier_var(linear);
	if (linear >= RX_HEADER_BYTES)
		return 0;
	bpf_probe_read_kernel(to, linear, skb->data);
	return linear + from_fragment(skb, to + linear, most - linear, RX_LONG_HEADER_BYTES);
}

/* A stamp of the open poll as the reader shows it (src/method/ebpf/decode.ts), 0: none. */
static __always_inline u64 stamp_of(const struct rx_open_poll *poll, u32 stamp)
{
	const struct rx_begun *begun = &poll->begun;
	const struct rx_cause *cause = &begun->cause;
	int caused = poll->flags & RX_POLL_CAUSED;

	switch (stamp) {
	case RX_STAMP_ENTRY:
		return caused ? cause->entry : 0;
	case RX_STAMP_ISR:
		return caused ? cause->isr : 0;
	case RX_STAMP_RAISE:
		return caused ? cause->raise : 0;
	case RX_STAMP_SOFTIRQ:
		if (caused && (begun->softirq < cause->isr || begun->softirq < cause->entry))
			return 0;
		return begun->softirq;
	default:
		return begun->start;
	}
}

/* True when the filters let a packet through. It is counted in its poll before, so that place and
 * number of the others stay true. */
static __always_inline int admitted(struct rx_cpu *cpu, u64 now)
{
	if (rx.slow_to) {
		u64 from = rx.has_irqs ? stamp_of(&cpu->poll, rx.slow_from) : 0;
		u64 to = rx.slow_to == RX_STAMP_DRIVER ? now : stamp_of(&cpu->poll, rx.slow_to);

		if (!from || !to) {
			cpu->filtered.unstamped++;
			return 0;
		}
		if ((s64)(to - from) <= (s64)rx.slow_ns) {
			cpu->filtered.faster++;
			return 0;
		}
	}
	return 1;
}

/* Not for the record: handed over in a list, which drivers of the one kind fill before they give it
 * away. */
#define PACKET_LISTED 0x100

#define SKBTX_HW_TSTAMP_NETDEV 32 /* include/linux/skbuff.h */

/* The NIC's own stamp, which its driver has left in the skb's shared info: nanoseconds of the NIC's
 * clock, 0: none. Some drivers (igc) leave an address there from which they work it out when a
 * socket asks: that is counted, not shown. */
static __always_inline u64 hardware_stamp(struct rx_cpu *cpu, struct sk_buff *skb, enum fetch how)
{
	struct skb_shared_info *info = (void *)skb->head + skb->end;
	u64 stamp;
	u32 flags;

	if (how == FETCH_CAST) {
		struct skb_shared_info *known =
		    bpf_rdonly_cast(info, bpf_core_type_id_kernel(struct skb_shared_info));

		stamp = known->hwtstamps.hwtstamp;
		flags = known->tx_flags;
	} else {
		stamp = BPF_CORE_READ(info, hwtstamps.hwtstamp);
		flags = BPF_CORE_READ(info, tx_flags);
	}
	if (!stamp || !(flags & SKBTX_HW_TSTAMP_NETDEV) ||
	    !bpf_core_field_exists(struct skb_shared_hwtstamps___late, netdev_data))
		return stamp;
	cpu->loss.hardware_late++;
	return 0;
}

/* Returns whether the packet was recorded. */
static __always_inline int record_packet(struct sk_buff *skb, u64 now, u32 flags, enum fetch how)
{
	u32 id;
	struct rx_cpu *cpu = this_cpu(&id);

	if (!cpu)
		return 0;
	struct net_device *dev = skb->dev;

	/* The poll that is open was looked at when it began, its device too. */
	if (!(rx.has_irqs && cpu->poll.open && (u64)dev == cpu->device) && !our_device(cpu, dev))
		return 0;
	if (rx.cpu_only && !cpu->on)
		return 0;
	u16 queue = skb->queue_mapping;

	if (rx.queue && queue && queue != rx.queue)
		return 0;
	u32 napi_id = bpf_core_field_exists(skb->napi_id) ? skb->napi_id : 0;
	u32 place = 0;

	if (rx.has_irqs) {
		/* Another id: the end of the poll before was not seen. Drivers that bypass GRO
		 * leave it 0. */
		if (!cpu->poll.open ||
		    (napi_id && cpu->poll.napi_id && cpu->poll.napi_id != napi_id))
			begin(cpu, napi_slot(cpu, napi_id), napi_id, dev, queue, now, BY_PACKET);
		/* Before any filter: what the queue's state is known from. */
		if (!rx.start_hooked && !cpu->poll.last)
			cpu->poll.first = now;
		cpu->poll.last = now;
		cpu->poll.queue = queue;
		if (flags & PACKET_LISTED)
			cpu->poll.listed = 1;
		if (rx.irq_only && !cpu->poll.wanted)
			return 0;
		flags |= RX_PACKET_OPENED;
		place = ++cpu->poll.begun.seen;
	}
	if (!admitted(cpu, now) || !ring_enter(cpu))
		return 0;
	if (rx.filter && !matches(cpu, id, skb)) {
		ring_leave(cpu);
		return 0;
	}
	struct rx_packet *record = ring_reserve(id, cpu->head, &cpu->tail_seen, sizeof(*record),
						rx.has_irqs ? sizeof(struct rx_poll) : 0);

	if (!record) {
		cpu->loss.packets_ring_full++;
		cpu->poll.lost++;
		ring_leave(cpu);
		return 0;
	}
	u32 len = skb->len;
	u32 linear = len - skb->data_len;
	u32 protocol = skb->protocol;
	u32 copied, there = linear;

	if (linear < RX_HEADER_BYTES && linear < len) {
		there = fetch_paged(record->header, skb, linear);
		copied = rx.tracked ? RX_LONG_HEADER_BYTES : RX_HEADER_BYTES;
	} else {
		copied = fetch_header((u64 *)record->header, skb, protocol, how);
	}
	u32 size = offsetof(struct rx_packet, header) + copied;

	if (rx.hardware) {
		u64 stamp = hardware_stamp(cpu, skb, how);

		if (stamp) {
			record->hardware = stamp;
			flags |= RX_PACKET_HARDWARE;
			size = sizeof(*record);
		}
	}

	record->kind = RX_PACKET;
	record->flags = flags & 0xff;
	record->size = size;
	record->len = len;
	record->driver = now;
	record->skb = (u64)skb;
	record->hash = skb->hash;
	record->protocol = protocol;
	record->vlan = skb->vlan_tci;
	record->queue = queue;
	record->caplen = there > copied ? copied : there;
	record->index = place > MOST_INDEX ? MOST_INDEX : place;
	if (rx.has_irqs)
		cpu->poll.begun.packets++;
	ring_commit(&cpu->head, size);
	if (rx.tracked) {
		u32 number = cpu->sequence++;

		ring_leave(cpu);
		follow(cpu, id, skb, now, number);
		return 1;
	}
	ring_leave(cpu);
	return 1;
}

static __always_inline int packet(struct sk_buff *skb, u64 now, u32 flags, enum fetch how)
{
	if (!record_packet(skb, now, flags, how) && rx.tracked)
		unfollow(skb);
	return 0;
}

/* Body once, hook twice: NAME fetches headers by cast, NAME_probe by helper. */
#define PACKET_HOOK(tracepoint, name, flags)                                                       \
	SEC("tp_btf/" #tracepoint)                                                                 \
	int BPF_PROG(name, struct sk_buff *skb)                                                    \
	{                                                                                          \
		u64 now = bpf_ktime_get_ns();                                                      \
                                                                                                   \
		return packet(skb, now, flags, FETCH_CAST);                                        \
	}                                                                                          \
	SEC("tp_btf/" #tracepoint)                                                                 \
	int BPF_PROG(name##_probe, struct sk_buff *skb)                                            \
	{                                                                                          \
		u64 now = bpf_ktime_get_ns();                                                      \
                                                                                                   \
		return packet(skb, now, flags, FETCH_PROBE);                                       \
	}

PACKET_HOOK(napi_gro_receive_entry, packet_gro, 0)
PACKET_HOOK(napi_gro_frags_entry, packet_frags, RX_PACKET_FRAGS)
PACKET_HOOK(netif_receive_skb_entry, packet_receive, 0)
PACKET_HOOK(netif_receive_skb_list_entry, packet_list, PACKET_LISTED)
PACKET_HOOK(netif_rx_entry, packet_netif_rx, 0)
