/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * Interrupts that are handled in threads (threadirqs, PREEMPT_RT, drivers with a second half): the
 * hard interrupt's stamps go with the thread.
 */
#pragma once

#define IRQ_WAKE_THREAD 2 /* include/linux/irqreturn.h */

/* Where handlers run in threads (threadirqs, PREEMPT_RT), the hard interrupt only wakes one: its
 * stamps wait there. Several before the thread runs keep the first one's times. A tracepoint and
 * not fentry on __irq_wake_thread, which 7.3 has inlined where it matters. */
SEC("tp_btf/irq_handler_exit")
int BPF_PROG(irq_wake_thread, int irq, struct irqaction *action, int ret)
{
	u32 id;
	struct rx_cpu *cpu = this_cpu(&id);

	/* isr_exit may have ended the interrupt before. */
	if (!cpu || !(ret & IRQ_WAKE_THREAD) || cpu->current.irq != irq)
		return 0;
	if (!rx.exit_hooked && (!cpu->active || !in_hardirq()))
		return 0;
	struct task_struct___rx *task = action->thread;
	u32 pid = task ? task->pid : 0;
	u32 key = pid & (RX_MAX_THREADS - 1);
	struct rx_thread *thread = bpf_map_lookup_elem(&threads, &key);

	if (!thread || !pid)
		return 0;
	if (thread->pid != pid) {
		thread->next.flags = 0;
		thread->now.flags = 0;
		thread->pid = pid;
	}
	if (*(volatile u32 *)&thread->next.flags & RX_CAUSE_VALID) {
		thread->next.again++;
		return 0;
	}
	thread->next = cpu->current;
	thread->next.again = 0;
	barrier();
	*(volatile u32 *)&thread->next.flags = RX_CAUSE_VALID;
	return 0;
}

/* The slot of the running thread, if it is an interrupt's that is wanted. */
static __always_inline struct rx_thread *this_thread(void)
{
	u32 pid = bpf_get_current_pid_tgid();
	u32 key = pid & (RX_MAX_THREADS - 1);
	struct rx_thread *thread = bpf_map_lookup_elem(&threads, &key);

	return thread && pid && thread->pid == pid ? thread : NULL;
}

/* The thread takes its interrupt. `isr` is the time at which the driver's handler begins when that
 * is in the thread, else 0. */
static __always_inline int run_thread(struct rx_thread *thread, u64 isr)
{
	thread->now.flags = 0;
	if (!(*(volatile u32 *)&thread->next.flags & RX_CAUSE_VALID))
		return 0;
	thread->now = thread->next;
	barrier();
	*(volatile u32 *)&thread->next.flags = 0;
	if (isr)
		thread->now.isr = isr;
	return 0;
}

/* Forced: what runs here is the handler that the driver wrote for the hard interrupt. */
static __always_inline int forced_thread(u64 now)
{
	struct rx_thread *thread = this_thread();

	if (!thread)
		return 0;
	thread->forced = 1;
	return run_thread(thread, now);
}

SEC("fentry/irq_forced_thread_fn")
int BPF_PROG(irq_thread_forced)
{
	return forced_thread(bpf_ktime_get_ns());
}

/* The driver's own second half; its first one ran in the hard interrupt. Some kernels (7.3) also
 * come here from the function above. */
static __always_inline int own_thread(void)
{
	struct rx_thread *thread = this_thread();

	if (!thread)
		return 0;
	if (thread->forced) {
		thread->forced = 0;
		return 0;
	}
	return run_thread(thread, 0);
}

SEC("fentry/irq_thread_fn")
int BPF_PROG(irq_thread_own)
{
	return own_thread();
}
