/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * How a packet's way ends: dropped, used up by the kernel, sent on. These tracepoints fire for
 * every skb of the machine, sent ones too, wherever they are freed: in tasks, softirqs and
 * interrupts, so they write into the second ring.
 */
#pragma once

static __always_inline u32 entered(const struct sk_buff *skb)
{
	return skb->skb_iif ? RX_LATER_ENTERED : 0;
}

/* `reason` came with 5.17. */
SEC("tp_btf/kfree_skb")
int drop(u64 *args)
{
	u64 now = bpf_ktime_get_ns();
	struct sk_buff *skb = (struct sk_buff *)args[0];
	struct rx_cpu *cpu;
	struct rx_drop *record = later_about(&cpu, 1, skb, 1, now, RX_LATER_DROP, sizeof(*record));

	if (!record)
		return 0;
	record->stage.flags = entered(skb);
	record->reason = 0;
	if (bpf_core_type_exists(enum skb_drop_reason))
		record->reason = (u32)args[2];
	later_end(cpu, 1, sizeof(*record));
	return 0;
}

static __always_inline int end(struct sk_buff *skb, u64 now, u32 what)
{
	struct rx_cpu *cpu;
	struct rx_stage *record = later_about(&cpu, 1, skb, 1, now, what, sizeof(*record));

	if (!record)
		return 0;
	record->flags = entered(skb);
	later_end(cpu, 1, sizeof(*record));
	return 0;
}

SEC("tp_btf/consume_skb")
int BPF_PROG(consumed, struct sk_buff *skb)
{
	u64 now = bpf_ktime_get_ns();

	return end(skb, now, RX_LATER_CONSUMED);
}

/* Forwarded or bridged: on its way into a transmit queue. What this machine sends itself never came
 * in by an interface. */
SEC("tp_btf/net_dev_queue")
int BPF_PROG(forwarded, struct sk_buff *skb)
{
	u64 now = bpf_ktime_get_ns();

	return skb->skb_iif ? end(skb, now, RX_LATER_FORWARDED) : 0;
}

/* Without functions to hook: a datagram that its reader frees itself is freed in the reading task.
 * A program on a tracepoint may be refused per-CPU variables like the preempt count, so softirqs
 * are told by their own tracepoints. Others are freed later, on the CPU that they came in by
 * (skb_attempt_defer_free): nothing says who read those. */
SEC("tp_btf/softirq_entry")
int BPF_PROG(softirq_begun, unsigned int vec)
{
	u32 id;
	struct rx_cpu *cpu = this_cpu(&id);

	if (cpu)
		cpu->in_softirq = 1;
	return 0;
}

SEC("tp_btf/softirq_exit")
int BPF_PROG(softirq_over, unsigned int vec)
{
	u32 id;
	struct rx_cpu *cpu = this_cpu(&id);

	if (cpu)
		cpu->in_softirq = 0;
	return 0;
}

SEC("tp_btf/consume_skb")
int BPF_PROG(released, struct sk_buff *skb)
{
	u64 now = bpf_ktime_get_ns();
	struct rx_cpu *cpu;
	struct rx_read *record =
	    later_about(&cpu, 1, skb, 1, now, RX_LATER_RELEASED, sizeof(*record));

	if (!record)
		return 0;
	u64 task = cpu->in_softirq ? 0 : bpf_get_current_pid_tgid();

	record->stage.flags = entered(skb);
	record->pid = task >> 32;
	record->tid = task;
	record->bytes = 0;
	bpf_get_current_comm(record->name, sizeof(record->name));
	later_end(cpu, 1, sizeof(*record));
	return 0;
}
