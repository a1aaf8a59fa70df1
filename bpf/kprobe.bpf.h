/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * The programs of the interrupt once more, on kprobes (--method ebpf-kprobe). A program's context
 * differs (registers instead of typed arguments), and memory is read by helper; the rest is shared.
 *
 * The kernel skips a kprobe program while another kprobe or tracepoint program, of any tool, runs
 * on the CPU (trace_call_bpf, bpf_prog_active) or a kprobe is being handled (kprobe_running). A
 * hard interrupt is skipped whole: nothing ends what it has interrupted before it ends itself. So a
 * skipped interrupt is missing, and never bears the stamps of another one, provided that isr_exit,
 * a raw tracepoint, ends each. A poll is in a softirq that may have interrupted such a program just
 * so; its start has no kprobe, because a skipped one would go to the next poll.
 */
#pragma once

SEC("kprobe/irq_enter_rcu")
int irq_enter_kprobe(struct pt_regs *regs)
{
	return entered_irq(bpf_ktime_get_ns());
}

SEC("kprobe/__common_interrupt")
int irq_vector_kprobe(struct pt_regs *regs)
{
	u64 now = claim_time();
	u32 vector = regs->si;

	return claim(now, irq_of_vector(vector, FETCH_PROBE), vector);
}

static __always_inline int claim_desc(u64 now, struct irq_desc *desc)
{
	return claim(now, BPF_CORE_READ(desc, irq_data.irq), 0);
}

SEC("kprobe/handle_edge_irq")
int irq_edge_kprobe(struct pt_regs *regs)
{
	u64 now = claim_time();

	return claim_desc(now, (struct irq_desc *)regs->di);
}

SEC("kprobe/handle_fasteoi_irq")
int irq_fasteoi_kprobe(struct pt_regs *regs)
{
	u64 now = claim_time();

	return claim_desc(now, (struct irq_desc *)regs->di);
}

SEC("kprobe/napi_schedule_prep")
int napi_prep_kprobe(struct pt_regs *regs)
{
	return prepared(bpf_ktime_get_ns(), (struct napi_struct *)regs->di, FETCH_PROBE);
}

SEC("kprobe/irq_forced_thread_fn")
int irq_thread_forced_kprobe(struct pt_regs *regs)
{
	return forced_thread(bpf_ktime_get_ns());
}

SEC("kprobe/irq_thread_fn")
int irq_thread_own_kprobe(struct pt_regs *regs)
{
	return own_thread();
}
