/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * The packet on its way up: stack, ip, transport; and where GRO puts it into another one.
 */
#pragma once

#define STAGE_HOOK(section, name, what)                                                            \
	SEC(section)                                                                               \
	int BPF_PROG(name, struct sk_buff *skb)                                                    \
	{                                                                                          \
		u64 now = bpf_ktime_get_ns();                                                      \
                                                                                                   \
		return stamp(skb, now, what);                                                      \
	}

STAGE_HOOK("tp_btf/netif_receive_skb", stack_core, RX_LATER_STACK)
STAGE_HOOK("fentry/ip_rcv_core", ip_v4_core, RX_LATER_IP)
STAGE_HOOK("fentry/ip6_rcv_core", ip_v6_core, RX_LATER_IP)
STAGE_HOOK("fentry/ip_rcv", ip_v4, RX_LATER_IP)
STAGE_HOOK("fentry/ipv6_rcv", ip_v6, RX_LATER_IP)
STAGE_HOOK("fentry/udp_rcv", transport_udp_v4, RX_LATER_TRANSPORT)
STAGE_HOOK("fentry/udpv6_rcv", transport_udp_v6, RX_LATER_TRANSPORT)
STAGE_HOOK("fentry/tcp_v4_rcv", transport_tcp_v4, RX_LATER_TRANSPORT)
STAGE_HOOK("fentry/tcp_v6_rcv", transport_tcp_v6, RX_LATER_TRANSPORT)
STAGE_HOOK("fentry/icmp_rcv", transport_icmp_v4, RX_LATER_TRANSPORT)
STAGE_HOOK("fentry/icmpv6_rcv", transport_icmp_v6, RX_LATER_TRANSPORT)
STAGE_HOOK("fentry/igmp_rcv", transport_igmp, RX_LATER_TRANSPORT)

/* The packet `skb` gives its bytes to `into`: no later stage will see it. */
static __always_inline int merge(struct sk_buff *into, struct sk_buff *skb, u64 now, u32 what)
{
	struct rx_cpu *cpu;
	struct rx_merged *record = later_about(&cpu, 0, skb, 1, now, what, sizeof(*record));

	if (!record)
		return 0;
	u64 carrier = find(cpu, into);

	record->into_sequence = carrier & SEQUENCE_MASK;
	record->into_origin = carrier == NO_PACKET ? 0xffff : carrier >> RX_SEQUENCE_BITS;
	later_end(cpu, 0, sizeof(*record));
	return 0;
}

SEC("fexit/skb_gro_receive")
int BPF_PROG(merge_gro, struct sk_buff *into, struct sk_buff *skb, int error)
{
	u64 now = bpf_ktime_get_ns();

	return error ? 0 : merge(into, skb, now, RX_LATER_MERGED);
}

SEC("fexit/skb_gro_receive_list")
int BPF_PROG(merge_gro_list, struct sk_buff *into, struct sk_buff *skb, int error)
{
	u64 now = bpf_ktime_get_ns();

	return error ? 0 : merge(into, skb, now, RX_LATER_MERGED);
}

/* The socket's owner is busy, so the segment waits in the backlog. tcp_add_backlog may put it into
 * the last one there and free it unseen; one that it appended is the last one now; one that it
 * refuses is the caller's to drop. Its answer, true or (7.3) a reason, lies behind its arguments:
 * two where there is no helper to ask for it. */
SEC("fexit/tcp_add_backlog")
int merge_backlog(u64 *args)
{
	u64 now = bpf_ktime_get_ns();
	struct sock *sk = (struct sock *)args[0];
	struct sk_buff *skb = (struct sk_buff *)args[1];
	struct sk_buff *last = sk->sk_backlog.tail;
	u64 answer;

	if (bpf_core_enum_value_exists(enum bpf_func_id___rx, BPF_FUNC_get_func_ret___rx))
		bpf_get_func_ret(args, &answer);
	else
		answer = args[2];
	/* A bool is no more than its lowest byte. */
	if ((u8)answer)
		return 0;
	return last == skb || !last ? 0 : merge(last, skb, now, RX_LATER_COALESCED);
}
