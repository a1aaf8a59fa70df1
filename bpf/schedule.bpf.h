/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * The handler schedules NAPI: the interrupt is handed to the instance that will be polled for it.
 */
#pragma once

/* What the program that schedules a NAPI instance runs for: the hard interrupt of this CPU, or the
 * one whose thread this is. A softirq on top of the thread runs for neither. */
static __always_inline struct rx_cause *served(struct rx_cpu *cpu)
{
	struct rx_thread *thread;

	if (cpu->active) {
		if (rx.exit_hooked || in_hardirq())
			return &cpu->current;
		cpu->active = 0;
	}
	if (!rx.irq_threads || (!rx.exit_hooked && in_hardirq()) || in_softirq(cpu))
		return NULL;
	thread = this_thread();
	return thread && (thread->now.flags & RX_CAUSE_VALID) ? &thread->now : NULL;
}

/* The handler schedules a NAPI instance: from here the interrupt belongs to it. Also when it was
 * scheduled already (napi_schedule_prep then returns false and sets NAPIF_STATE_MISSED): the next
 * poll is then this interrupt's. */
static __always_inline int prepared(u64 now, struct napi_struct *napi, enum fetch how)
{
	u32 id;
	struct rx_cpu *cpu = this_cpu(&id);

	if (!cpu || (!rx.irq_threads && !cpu->active))
		return 0;
	struct rx_cause *cause = served(cpu);

	if (!cause)
		return 0;
	struct rx_napi *slot =
	    napi_slot(cpu, how == FETCH_CAST ? napi->napi_id : BPF_CORE_READ(napi, napi_id));

	if (!slot)
		return 0;
	/* NAPIF_STATE_SCHED */
	u32 scheduled = (how == FETCH_CAST ? napi->state : BPF_CORE_READ(napi, state)) & 1;

	cpu->scheduled = slot->napi_id;
	slot->irq = cause->irq;
	/* A cause that waits while nothing was scheduled is stale (the NAPI was disabled
	 * meanwhile): replaced. */
	if (scheduled && (slot->cause.flags & RX_CAUSE_VALID)) {
		slot->cause.again++;
		return 0;
	}
	/* Where a poll takes its cause at its end, the driver may have completed it and let
	 * interrupts in again before that: the one before is still to be taken. */
	if (!rx.start_hooked && (slot->cause.flags & RX_CAUSE_VALID))
		slot->older = slot->cause;
	slot->cause.entry = cause->entry;
	slot->cause.isr = cause->isr;
	slot->cause.raise = now;
	slot->cause.irq = cause->irq;
	slot->cause.seat = cause->seat;
	slot->cause.again = cause->again;
	barrier();
	*(volatile u32 *)&slot->cause.flags = RX_CAUSE_VALID | (scheduled ? RX_CAUSE_MISSED : 0);
	return 0;
}

SEC("fentry/napi_schedule_prep")
int BPF_PROG(napi_prep, struct napi_struct *napi)
{
	return prepared(bpf_ktime_get_ns(), napi, FETCH_CAST);
}

#define NET_RX_SOFTIRQ 3

/* Without a hook on NAPI scheduling: NET_RX raised inside the handler. The vector is compared first
 * because most softirqs are others; one compare is below what the clock resolves. */
SEC("tp_btf/softirq_raise")
int BPF_PROG(softirq_raise, unsigned int vec)
{
	if (vec != NET_RX_SOFTIRQ)
		return 0;
	u64 now = bpf_ktime_get_ns();
	u32 id;
	struct rx_cpu *cpu = this_cpu(&id);

	if (!cpu || !cpu->active || !cpu->pending_slot)
		return 0;
	struct rx_pending *slot = &cpu->pending[(cpu->pending_slot - 1) & (RX_PENDING - 1)];

	if (!slot->cause.raise)
		slot->cause.raise = now;
	return 0;
}
