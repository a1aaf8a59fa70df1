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
	poll->cause = slot->cause;
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
		poll->cause = slot->older;
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

	poll->cause = slot->cause;
	slot->cause.flags = 0;
	poll->flags |= RX_POLL_CAUSED | (found > 1 ? RX_POLL_AMBIGUOUS : 0);
}

static __always_inline void open_poll(struct rx_cpu *cpu, u64 start)
{
	struct rx_open_poll *poll = &cpu->poll;

	poll->start = start;
	/* A poll without a start where starts are seen is a busy one: in no softirq. */
	poll->softirq_runs = rx.softirq_exit_hooked ? cpu->softirq != 0 : !rx.start_hooked;
	poll->softirq = start || poll->softirq_runs ? cpu->softirq : 0;
	poll->first = 0;
	poll->last = 0;
	poll->listed = 0;
	poll->packets = 0;
	poll->lost = 0;
	poll->seen = 0;
	poll->previous_end = 0;
	poll->previous_work = 0;
	poll->empty = 0;
	poll->number = 0;
	poll->flags = 0;
	poll->wanted = 1;
	poll->open = 1;
}

/* What the polls before it left. As it begins, not as it ends: between a poll's completion and the
 * tracepoint that says so, another CPU may have polled the same instance. One that has not ended
 * there leaves its end unknown. */
static __always_inline void look_back(struct rx_open_poll *poll, struct rx_napi *slot, int seen)
{
	poll->previous_end = slot->running ? 0 : slot->previous_end;
	poll->previous_work = slot->previous_work;
	poll->empty = slot->empty;
	if (!seen)
		return;
	if (!++slot->begun)
		slot->begun = 1;
	poll->number = slot->begun;
	slot->running = poll->number;
}

/* Opens the poll of a NAPI instance, if it is one of ours. `start` is the stamp of its start or 0,
 * `seen` a time at which it runs: its start or its first packet; 0 for an empty poll without a
 * start hook. */
static __always_inline void begin(struct rx_cpu *cpu, u32 napi_id, u32 ifindex, u32 queue,
				  u64 start, u64 seen)
{
	struct rx_napi *slot = napi_slot(cpu, napi_id);

	open_poll(cpu, start);
	cpu->poll.napi_id = napi_id;
	if (slot)
		look_back(&cpu->poll, slot, seen != 0);
	if (rx.prep_hooked) {
		/* What came behind the stamp at which the poll is known to run is the next one's:
		 * another CPU may take an interrupt while a busy poll begins here. An empty poll is
		 * only seen when it is over: what came after its softirq began may be the next
		 * one's. If not, the next interrupt replaces it. */
		if (slot && slot->cause.raise <= (seen ? seen : cpu->softirq))
			take_from_napi(&cpu->poll, slot);
	} else {
		take_from_pending(cpu, ifindex, queue, slot ? slot->previous_begin : 0, seen);
		if (slot && (cpu->poll.flags & RX_POLL_CAUSED))
			slot->irq = cpu->poll.cause.irq;
		if (slot && seen)
			slot->previous_begin = seen;
	}
	if (rx.irq_only && !(slot && slot->irq) && !(cpu->poll.flags & RX_POLL_CAUSED))
		cpu->poll.wanted = 0;
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
	if (!napi->napi_id || !our_device(cpu, napi->dev))
		return 0;
	begin(cpu, napi->napi_id, napi->dev->ifindex, 0, now, now);
	if (!rx.softirq_exit_hooked) {
		if (serving_softirq())
			cpu->poll.softirq_runs = 1;
		else
			cpu->poll.softirq = 0;
	}
	return 0;
}

#define PF_KTHREAD 0x00200000 /* include/linux/sched.h */
#define WORD(a, b, c, d) ((u32)(a) | (u32)(b) << 8 | (u32)(c) << 16 | (u32)(d) << 24)

/* Where this poll ran. Busy polling calls the driver's poll function directly (busy_poll_stop,
 * napi_busy_loop), with softirqs disabled but not in one, so no start is seen. Threads are told
 * apart by the names that the kernel gives them; a task of user space may take such a name, but
 * cannot set PF_KTHREAD. The name is looked at first because it is cheaper than the flags, and
 * rarely one of these. */
static __always_inline u32 look_at_task(u32 softirq_runs)
{
	u32 outside = softirq_runs ? RX_CONTEXT_SOFTIRQ : RX_CONTEXT_BUSY_POLL;
	u32 named = outside;
	u32 name[4];

	if (bpf_get_current_comm(name, sizeof(name)))
		return outside;
	if (name[0] == WORD('n', 'a', 'p', 'i') && !softirq_runs)
		named = RX_CONTEXT_THREADED;
	else if (name[0] == WORD('k', 's', 'o', 'f') && name[1] == WORD('t', 'i', 'r', 'q'))
		named = RX_CONTEXT_KSOFTIRQD;
	/* Where hard interrupts raise NET_RX themselves, an interrupt's thread is as good as any
	 * other task that a softirq interrupts. */
	else if (rx.irq_threads && name[0] == WORD('i', 'r', 'q', '/'))
		named = RX_CONTEXT_IRQ_THREAD;
	else
		return outside;
	return CURRENT(flags) & PF_KTHREAD ? named : outside;
}

/* The same, kept for as long as the same task is found in the same state: the threads among them
 * poll again and again. */
static __always_inline u32 poll_context(struct rx_cpu *cpu, u32 pid)
{
	u32 key = pid << 1 | (cpu->poll.softirq_runs & 1); /* a pid has 22 bits */

	if (!pid) /* the idle task waits for nothing and has no thread */
		return RX_CONTEXT_SOFTIRQ;
	if (cpu->context_of != key) {
		cpu->context = look_at_task(cpu->poll.softirq_runs);
		cpu->context_of = key;
	}
	return cpu->context;
}

/* Up to when the queue is now known to have been empty: what had arrived by then has been taken.
 * A poll that did not use up its budget looked at the queue behind its last packet and found
 * nothing (budget - 1 is what drivers answer that did not finish), so at that packet's stamp
 * nothing more was there. That holds where each packet is handed over as it is found, and from one
 * queue. Otherwise only: nothing that was there when the poll began is left. */
static __always_inline u64 known_empty(const struct rx_open_poll *poll, struct rx_napi *slot,
				       u32 id, int one_queue, int work, int budget)
{
	if (work < 0 || work >= budget - 1)
		return slot->empty;
	if (poll->last && poll->queue) {
		if (slot->queue && slot->queue != poll->queue)
			slot->several = 1;
		slot->queue = poll->queue;
	}
	u64 since = poll->start;

	/* Only on one CPU is an end seen before the next poll begins. */
	if (!since && slot->end_cpu == id + 1)
		since = poll->previous_end;

	if (poll->last && one_queue && !slot->several && !poll->listed)
		since = poll->last;
	return since > slot->empty ? since : slot->empty;
}

static __always_inline void write_poll(struct rx_cpu *cpu, u32 id, u64 now,
				       struct napi_struct *napi, int work, int budget,
				       struct rx_napi *slot)
{
	struct rx_open_poll *poll = &cpu->poll;
	struct rx_poll *record;
	u32 pid = bpf_get_current_pid_tgid();

	/* netif_rx from a hard interrupt must not write over this record. */
	if (cpu->busy) {
		cpu->loss.stages_recursion++;
		return;
	}
	*(volatile u32 *)&cpu->busy = 1;
	barrier();
	record = ring_reserve(id, cpu->head, &cpu->tail_seen, sizeof(*record), 0);
	if (!record) {
		/* Only a poll without packets can come here: packets keep room for their poll. */
		cpu->loss.irqs_ring_full++;
		ring_leave(cpu);
		return;
	}
	record->kind = RX_POLL;
	record->flags = poll->flags;
	record->size = sizeof(*record);
	record->packets = poll->packets;
	record->end = now;
	record->start = poll->start;
	record->softirq = poll->softirq;
	record->previous_end = poll->previous_end;
	record->empty = poll->empty;
	record->previous_work = poll->previous_work;
	if (poll->flags & RX_POLL_CAUSED)
		record->cause = poll->cause;
	record->work = work;
	record->budget = budget;
	record->napi_id = napi->napi_id;
	record->ifindex = napi->dev->ifindex;
	record->cpu = id;
	record->context = poll_context(cpu, pid);
	record->pid = pid;
	record->lost = poll->lost;
	record->seen = poll->seen;
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
		begin(cpu, napi_id, napi->dev->ifindex, 0, 0, 0);
	/* Its packets did not say whose they are (5.10's vmxnet3) and its start was not seen: the
	 * interrupt that had scheduled it before its first packet. */
	else if (rx.prep_hooked && !rx.start_hooked && slot && !cpu->poll.napi_id)
		take_before_first(&cpu->poll, slot);
	if (slot && !cpu->poll.napi_id)
		look_back(&cpu->poll, slot, 0);
	if (cpu->poll.packets || cpu->poll.lost)
		write_poll(cpu, id, now, napi, work, budget, slot);
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
