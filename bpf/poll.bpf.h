/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * The NAPI poll: takes the interrupt that led to it, and closes its packets with one record.
 */
#pragma once

SEC("tp_btf/softirq_entry")
int BPF_PROG(softirq_entry, unsigned int vec)
{
	if (vec != NET_RX_SOFTIRQ)
		return 0;
	u64 now = bpf_ktime_get_ns();
	u32 id;
	struct rx_cpu *cpu = this_cpu(&id);

	if (cpu)
		cpu->softirq = now;
	return 0;
}

/* Only where the preempt count cannot be read: a stamp of a softirq that has ended must not be
 * taken for a poll that runs outside of one. */
SEC("tp_btf/softirq_exit")
int BPF_PROG(softirq_exit, unsigned int vec)
{
	if (vec != NET_RX_SOFTIRQ)
		return 0;
	u32 id;
	struct rx_cpu *cpu = this_cpu(&id);

	if (cpu)
		cpu->softirq = 0;
	return 0;
}

/* Moves the waiting cause of a NAPI into the open poll. Written by the interrupt's CPU, taken by
 * the polling one; VALID is set last and cleared last, and a writer that finds it set leaves the
 * times alone, so they cannot tear. */
static __always_inline void take_from_napi(struct rx_open_poll *poll, struct rx_napi *slot)
{
	if (!(*(volatile u32 *)&slot->cause.flags & RX_CAUSE_VALID))
		return;
	poll->begun.cause = slot->cause;
	poll->flags |= RX_POLL_CAUSED;
	barrier();
	*(volatile u32 *)&slot->cause.flags = 0;
}

/* The same at the end of a poll whose packets did not say whose they are (5.10's vmxnet3) and whose
 * start was not seen: the interrupt that had scheduled it before its first packet. Runs on the
 * interrupts' CPU or behind them. */
static __always_inline void take_before_first(struct rx_open_poll *poll, struct rx_napi *slot)
{
	if (slot->cause.raise <= poll->first) {
		take_from_napi(poll, slot);
	} else if ((slot->older.flags & RX_CAUSE_VALID) && slot->older.raise <= poll->first) {
		poll->begun.cause = slot->older;
		poll->flags |= RX_POLL_CAUSED;
	}
	slot->older.flags = 0;
}

/* The same from the interrupts pending on this CPU: the interface must agree, and the queue where
 * both are known. One that came before the last poll of this NAPI began was that poll's, wherever
 * it ran: stale. */
static __always_inline void take_from_pending(struct rx_cpu *cpu, u32 ifindex, u32 queue,
					      u64 previous_begin, u64 seen)
{
	struct rx_open_poll *poll = &cpu->poll;
	u32 found = 0, best = 0;
	u64 earliest = 0;

#pragma unroll
	for (u32 i = 0; i < RX_PENDING; i++) {
		struct rx_pending *slot = &cpu->pending[i];

		if (!(slot->cause.flags & RX_CAUSE_VALID) ||
		    (slot->ifindex && slot->ifindex != ifindex))
			continue;
		if (queue && slot->queue && slot->queue != queue)
			continue;
		if (slot->latest_isr < previous_begin) {
			slot->cause.flags = 0;
			continue;
		}
		/* An empty poll is only seen when it is over. What came after its softirq began may
		 * belong to the next one. */
		if (!seen && cpu->softirq && slot->cause.isr > cpu->softirq)
			continue;
		if (slot->cause.isr < previous_begin) {
			slot->cause.isr = slot->latest_isr;
			slot->cause.raise = 0;
		}
		found++;
		if (!earliest || slot->cause.isr < earliest) {
			earliest = slot->cause.isr;
			best = i;
		}
	}
	if (!found)
		return;
	struct rx_pending *slot = &cpu->pending[best & (RX_PENDING - 1)];

	poll->begun.cause = slot->cause;
	slot->cause.flags = 0;
	poll->flags |= RX_POLL_CAUSED | (found > 1 ? RX_POLL_AMBIGUOUS : 0);
}

/* Where a poll of the running task runs: without a softirq, and in one. Busy polling calls the
 * driver's poll function directly (busy_poll_stop, napi_busy_loop), with softirqs disabled but not
 * in one. Threads are told apart by the names that the kernel gives them; a task of user space may
 * take such a name, but cannot set PF_KTHREAD. The name is looked at first because it is cheaper
 * than the flags, and rarely one of these. */
static __always_inline void look_at_task(u8 *contexts)
{
	u32 outside = RX_CONTEXT_BUSY_POLL, inside = RX_CONTEXT_SOFTIRQ;
	u32 name[4];

	contexts[0] = outside;
	contexts[1] = inside;
	if (bpf_get_current_comm(name, sizeof(name)))
		return;
	if (name[0] == WORD('n', 'a', 'p', 'i'))
		outside = RX_CONTEXT_THREADED;
	else if (name[0] == WORD('k', 's', 'o', 'f') && name[1] == WORD('t', 'i', 'r', 'q'))
		outside = inside = RX_CONTEXT_KSOFTIRQD;
	/* Where hard interrupts raise NET_RX themselves, an interrupt's thread is as good as any
	 * other task that a softirq interrupts. */
	else if (rx.irq_threads && name[0] == WORD('i', 'r', 'q', '/'))
		outside = inside = RX_CONTEXT_IRQ_THREAD;
	else
		return;
	if (CURRENT(flags) & PF_KTHREAD) {
		contexts[0] = outside;
		contexts[1] = inside;
	}
}

/* How a poll is seen first. */
enum seen_by { BY_START, BY_PACKET, BY_END };

/* True when the open poll runs in the softirq whose stamp this CPU bears. __napi_poll is called by
 * the softirq and by the NAPI instances' own threads (napi_threaded_poll), on which a softirq may
 * sit too; whatever polls without it is busy polling. */
static __always_inline u32 runs_in_softirq(struct rx_cpu *cpu, u32 pid, enum seen_by how)
{
	if (rx.softirq_exit_hooked)
		return cpu->softirq != 0;
	if (how != BY_START)
		return !rx.start_hooked;
	return !pid || cpu->contexts[0] != RX_CONTEXT_THREADED || serving_softirq() != 0;
}

/* Who polls, and where: the softirq's stamp is the poll's only if that runs in it. What is found of
 * a task is kept for as long as it is the same: the threads among them poll again and again. The
 * idle task waits for nothing and has no thread. */
static __always_inline void look_around(struct rx_cpu *cpu, enum seen_by how)
{
	struct rx_open_poll *poll = &cpu->poll;
	u32 pid = bpf_get_current_pid_tgid();

	if (pid && cpu->contexts_of != pid) {
		look_at_task(cpu->contexts);
		cpu->contexts_of = pid;
	}
	poll->begun.pid = pid;
	if (runs_in_softirq(cpu, pid, how)) {
		poll->begun.softirq = cpu->softirq;
		poll->context = pid ? cpu->contexts[1] : RX_CONTEXT_SOFTIRQ;
	} else {
		poll->begun.softirq = 0;
		poll->context = pid ? cpu->contexts[0] : RX_CONTEXT_SOFTIRQ;
	}
}

/* What the polls before it left. As it begins, not as it ends: between a poll's completion and the
 * tracepoint that says so, another CPU may have polled the same instance. One that has not ended
 * there leaves its end unknown. Instances are polled by one at a time, so the time at which a poll
 * was seen to begin tells it from all others. */
static __always_inline void look_back(struct rx_open_poll *poll, struct rx_napi *slot)
{
	poll->begun.previous_end = slot->running ? 0 : slot->previous_end;
	poll->begun.previous_work = slot->previous_work;
	poll->begun.empty = slot->empty;
}

/* Opens the poll of a NAPI instance, if it is one of ours. `seen` is a time at which it runs: its
 * start or its first packet; 0 for an empty poll without a start hook. */
static __always_inline void begin(struct rx_cpu *cpu, struct rx_napi *slot, u32 napi_id,
				  struct net_device *dev, u32 queue, u64 seen, enum seen_by how)
{
	struct rx_open_poll *poll = &cpu->poll;

	poll->napi_id = napi_id;
	poll->lost = 0;
	poll->begun.start = how == BY_START ? seen : 0;
	poll->begun.seen = 0;
	poll->begun.packets = 0;
	poll->number = slot ? seen : 0;
	poll->last = 0;
	poll->first = 0;
	poll->open = 1;
	poll->wanted = 1;
	poll->flags = 0;
	poll->listed = 0;
	look_around(cpu, how);
	if (slot) {
		look_back(poll, slot);
		if (how != BY_END)
			slot->running = seen;
	} else {
		poll->begun.previous_end = 0;
		poll->begun.previous_work = 0;
		poll->begun.empty = 0;
	}
	if (rx.prep_hooked) {
		/* What came behind the stamp at which the poll is known to run is the next one's:
		 * another CPU may take an interrupt while a busy poll begins here. An empty poll is
		 * only seen when it is over: what came after its softirq began may be the next
		 * one's. If not, the next interrupt replaces it. */
		if (slot && slot->cause.raise <= (how == BY_END ? cpu->softirq : seen))
			take_from_napi(poll, slot);
	} else {
		take_from_pending(cpu, dev->ifindex, queue, slot ? slot->previous_begin : 0, seen);
		if (slot && (poll->flags & RX_POLL_CAUSED))
			slot->irq = poll->begun.cause.irq;
		if (slot && seen)
			slot->previous_begin = seen;
	}
	if (rx.irq_only && !(slot && slot->irq) && !(poll->flags & RX_POLL_CAUSED))
		poll->wanted = 0;
}

SEC("fentry/__napi_poll")
int BPF_PROG(napi_poll_start, struct napi_struct *napi)
{
	u64 now = bpf_ktime_get_ns();
	u32 id;
	struct rx_cpu *cpu = this_cpu(&id);

	if (!cpu)
		return 0;
	cpu->poll.open = 0;
	/* Each look behind an argument of fentry costs a check of its address: once each. */
	u32 napi_id = napi->napi_id;

	if (!napi_id)
		return 0;
	struct net_device *dev = napi->dev;

	if (!our_device(cpu, dev))
		return 0;
	struct rx_napi *slot = napi_slot(cpu, napi_id);

	if (slot)
		begin(cpu, slot, napi_id, dev, 0, now, BY_START);
	return 0;
}

/* Up to when the queue is now known to have been empty: what had arrived by then has been taken.
 * A poll that did not use up its budget looked at the queue behind its last packet and found
 * nothing (budget - 1 is what drivers answer that did not finish), so at that packet's stamp
 * nothing more was there. That holds where each packet is handed over as it is found, and from one
 * queue. Otherwise only: nothing that was there when the poll began is left. */
static __always_inline u64 known_empty(const struct rx_open_poll *poll, struct rx_napi *slot,
				       u32 id, int one_queue, int work, int budget)
{
	u64 since = poll->begun.start;

	if (work < 0 || work >= budget - 1)
		return slot->empty;
	/* Only on one CPU is an end seen before the next poll begins. */
	if (!since && slot->end_cpu == id + 1)
		since = poll->begun.previous_end;
	if (poll->last) {
		u32 queue = poll->queue;

		if (slot->queue != queue && queue) {
			if (slot->queue)
				slot->several = 1;
			slot->queue = queue;
		}
		if (one_queue && !slot->several && !poll->listed)
			since = poll->last;
	}
	return since > slot->empty ? since : slot->empty;
}

static __always_inline void write_poll(struct rx_cpu *cpu, u32 id, u64 now, int work, int budget,
				       u32 napi_id, struct rx_napi *slot)
{
	struct rx_open_poll *poll = &cpu->poll;
	struct rx_poll *record = NULL;

	/* netif_rx from a hard interrupt must not write over this record. */
	if (cpu->busy) {
		cpu->loss.stages_recursion++;
		return;
	}
	*(volatile u32 *)&cpu->busy = 1;
	barrier();
	/* Packets keep room for their poll: only one that lost them all has to look. */
	if (poll->begun.packets ||
	    ring_has_room(id, cpu->head, &cpu->tail_seen, sizeof(*record), 0))
		record = ring_place(id, cpu->head);
	if (!record) {
		cpu->loss.irqs_ring_full++;
		ring_leave(cpu);
		return;
	}
	record->kind = RX_POLL;
	record->flags = poll->flags;
	record->size = sizeof(*record);
	record->context = poll->context;
	record->end = now;
	record->begun = poll->begun;
	record->work = work;
	record->budget = budget;
	record->napi_id = napi_id;
	record->irq = slot ? slot->irq : 0;
	ring_commit(&cpu->head, sizeof(*record));
	ring_leave(cpu);
}

/* Fires behind the driver's poll function. napi->dev is NULL for the backlog, which has no NAPI id
 * either. */
SEC("tp_btf/napi_poll")
int BPF_PROG(napi_poll_end, struct napi_struct *napi, int work, int budget)
{
	u64 now = bpf_ktime_get_ns();
	u32 id;
	struct rx_cpu *cpu = this_cpu(&id);

	/* netpoll looks for transmit completions only: poll_one_napi, with a budget of 0. */
	if (!cpu || !budget)
		return 0;
	u32 napi_id = napi->napi_id;

	/* The poll that is open was looked at when it began. A driver that bypasses GRO does not
	 * mark its packets with an id: then the poll that ends first on this CPU is theirs. */
	if (!cpu->poll.open || cpu->poll.napi_id != napi_id) {
		if (cpu->poll.napi_id)
			cpu->poll.open = 0;
		if (!napi_id || !our_device(cpu, napi->dev)) {
			cpu->poll.open = 0;
			return 0;
		}
	}
	struct rx_napi *slot = napi_slot(cpu, napi_id);

	/* An empty poll without a start hook: it used up the interrupt all the same. */
	if (!cpu->poll.open)
		begin(cpu, slot, napi_id, napi->dev, 0, 0, BY_END);
	/* Its packets did not say whose they are (5.10's vmxnet3) and its start was not seen: the
	 * interrupt that had scheduled it before its first packet. */
	else if (rx.prep_hooked && !rx.start_hooked && slot && !cpu->poll.napi_id)
		take_before_first(&cpu->poll, slot);
	if (slot && !cpu->poll.napi_id)
		look_back(&cpu->poll, slot);
	if (cpu->poll.begun.packets || cpu->poll.lost)
		write_poll(cpu, id, now, work, budget, napi_id, slot);
	if (slot) {
		slot->empty = known_empty(&cpu->poll, slot, id, cpu->one_queue, work, budget);
		/* Else another one runs on another CPU already: what that leaves is newer. */
		if (slot->running == cpu->poll.number) {
			slot->running = 0;
			slot->previous_end = now;
			slot->previous_work = work;
			slot->end_cpu = id + 1;
		}
	}
	cpu->poll.open = 0;
	return 0;
}
