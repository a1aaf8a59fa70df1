/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * From the CPU taking the interrupt to the end of its handler. Nothing is written to a ring here
 * (but for --interrupts): the current interrupt lies in the per-CPU state until a NAPI instance
 * takes it.
 */
#pragma once

static __always_inline struct rx_irq_filter *wanted_irq(u32 irq)
{
	struct rx_irq_filter *filter = bpf_map_lookup_elem(&irqs, &irq);

	return filter && filter->wanted ? filter : NULL;
}

/* The stamp of every interrupt, timers and IPIs too: nothing is known yet but the time. Later than
 * the CPU's entry through the IDT (which nothing can hook), earlier than tick and RCU work on an
 * idle CPU. */
static __always_inline int entered_irq(u64 now)
{
	u32 id;
	struct rx_cpu *cpu = this_cpu(&id);

	if (!cpu)
		return 0;
	cpu->enter = now;
	cpu->active = 0; /* whatever interrupt was current has ended: hard IRQs do not nest */
	return 0;
}

SEC("fentry/irq_enter_rcu")
int BPF_PROG(irq_enter)
{
	return entered_irq(bpf_ktime_get_ns());
}

/* One interrupt into its ring. `exit` is 0 where the end of the handler is not asked for. */
static __always_inline void write_irq(struct rx_cpu *cpu, u32 id, const struct rx_cause *cause,
				      u64 claim, u64 exit, u32 scheduled)
{
	u32 ring = rx.possible_cpus + id;
	struct rx_irq *record;

	if (rx.cpu_only && !cpu->on)
		return;
	record = ring_reserve(ring, cpu->irq_head, &cpu->irq_tail_seen, sizeof(*record), 0);
	if (!record) {
		cpu->loss.irqs_ring_full++;
		return;
	}
	record->kind = RX_IRQ;
	record->flags = 0;
	record->size = sizeof(*record);
	record->irq = cause->irq;
	record->entry = cause->entry;
	record->claim = claim;
	record->isr = cause->isr;
	record->exit = exit;
	record->vector = cause->seat;
	record->cpu = id;
	record->scheduled = scheduled;
	ring_commit(&cpu->irq_head, sizeof(*record));
}

/* The time of the claim is shown per interrupt, and is the entry where irq_enter is not hooked;
 * otherwise the clock is not worth reading twice. */
static __always_inline u64 claim_time(void)
{
	return rx.interrupts || !rx.enter_hooked ? bpf_ktime_get_ns() : 0;
}

static __always_inline void begin_irq(struct rx_cpu *cpu, u32 irq, u32 seat, u64 entry, u64 isr)
{
	cpu->current.entry = entry;
	cpu->current.isr = isr;
	cpu->current.irq = irq;
	cpu->current.seat = seat;
	cpu->scheduled = 0;
	cpu->active = 1;
}

/* The interrupt gets its name. Everything that is not wanted ends here. */
static __always_inline int claim(u64 now, u32 irq, u32 vector)
{
	u32 id;
	struct rx_cpu *cpu = this_cpu(&id);

	if (!cpu)
		return 0;
	u64 enter = cpu->enter;

	cpu->enter = 0;
	if (!irq || !wanted_irq(irq)) {
		cpu->active = 0;
		return 0;
	}
	if (!enter) /* hooked a moment ago, in the middle of this interrupt */
		enter = now ? now : bpf_ktime_get_ns();
	if (rx.interrupts && !rx.exit_hooked) { /* nothing more is asked about it */
		struct rx_cause cause = {.entry = enter, .irq = irq, .seat = vector};

		write_irq(cpu, id, &cause, now, 0, 0);
		return 0;
	}
	cpu->claim = now;
	begin_irq(cpu, irq, vector | id << 16, enter, 0);
	return 0;
}

SEC("fentry/__common_interrupt")
int BPF_PROG(irq_vector, struct pt_regs *regs, u32 vector)
{
	u64 now = claim_time();

	return claim(now, irq_of_vector(vector, FETCH_CAST), vector);
}

SEC("fentry/__common_interrupt")
int BPF_PROG(irq_vector_probe, struct pt_regs *regs, u32 vector)
{
	u64 now = claim_time();

	return claim(now, irq_of_vector(vector, FETCH_PROBE), vector);
}

SEC("fentry/handle_edge_irq")
int BPF_PROG(irq_edge, struct irq_desc *desc)
{
	u64 now = claim_time();

	return claim(now, desc->irq_data.irq, 0);
}

SEC("fentry/handle_fasteoi_irq")
int BPF_PROG(irq_fasteoi, struct irq_desc *desc)
{
	u64 now = claim_time();

	return claim(now, desc->irq_data.irq, 0);
}

/* Remembers the interrupt until its NAPI is polled; only where that NAPI cannot be seen being
 * scheduled. A second interrupt of the same line keeps the first one's times. */
static __always_inline void pend(struct rx_cpu *cpu, struct rx_irq_filter *filter)
{
	u32 free = 0;

	cpu->pending_slot = 0;
#pragma unroll
	for (u32 i = 0; i < RX_PENDING; i++) {
		struct rx_pending *slot = &cpu->pending[i];

		if (!(slot->cause.flags & RX_CAUSE_VALID)) {
			if (!free)
				free = i + 1;
		} else if (slot->cause.irq == cpu->current.irq) {
			slot->cause.again++;
			slot->latest_isr = cpu->current.isr;
			return;
		}
	}
	if (!free) {
		cpu->loss.napi_evicted++;
		return;
	}
	struct rx_pending *slot = &cpu->pending[(free - 1) & (RX_PENDING - 1)];

	slot->cause = cpu->current;
	slot->cause.raise = 0;
	slot->cause.again = 0;
	slot->cause.flags = RX_CAUSE_VALID;
	slot->latest_isr = cpu->current.isr;
	slot->ifindex = filter->ifindex;
	slot->queue = filter->queue;
	cpu->pending_slot = free;
}

SEC("tp_btf/irq_handler_entry")
int BPF_PROG(isr_entry, int irq, struct irqaction *action)
{
	u64 now = bpf_ktime_get_ns();
	u32 id;
	struct rx_cpu *cpu = this_cpu(&id);

	if (!cpu)
		return 0;
	if (rx.entry_hooked) {
		/* A shared line runs several handlers: the first one's time stays. */
		if (cpu->active && cpu->current.irq == irq && !cpu->current.isr)
			cpu->current.isr = now;
		if (rx.prep_hooked)
			return 0;
	}
	struct rx_irq_filter *filter = wanted_irq(irq);

	if (!filter) {
		cpu->active = 0;
		return 0;
	}
	if (!rx.entry_hooked) {
		cpu->claim = 0;
		begin_irq(cpu, irq, id << 16, 0, now);
	}
	if (!rx.prep_hooked && !rx.interrupts)
		pend(cpu, filter);
	return 0;
}

/* Where this interrupt sits: its vector on this CPU and the CPU. Looked for in the CPU's table when
 * it was not on this CPU the last time; irq_moved tells of every change. */
static __always_inline u32 seat_of(struct rx_irq_filter *filter, u32 irq, u32 id, enum fetch how)
{
	u32 seat = *(volatile u32 *)&filter->seat;

	if (seat >> 15 != (id << 1 | 1)) {
		seat = id << 16 | RX_SEAT_KNOWN | vector_of_irq(irq, how);
		*(volatile u32 *)&filter->seat = seat;
	}
	return seat ^ RX_SEAT_KNOWN;
}

/* The entry is claimed where the handler starts: one hook less than asking for the vector as it
 * comes in. What runs outside of a hard interrupt (a resent or a spurious interrupt's handler) may
 * find the stamp of another one here: served() and irq_wake_thread ask where they run. A second
 * handler of a shared line, or the same one once more, finds it claimed; so does a second interrupt
 * that is handled within the same hard one (demultiplexers, Xen's event channels): its own entry is
 * not known. */
static __always_inline int claim_at_handler(u64 now, u32 irq, enum fetch how)
{
	struct rx_irq_filter *filter = wanted_irq(irq);
	u32 id;

	if (!filter)
		return 0;
	struct rx_cpu *cpu = this_cpu(&id);

	if (!cpu)
		return 0;
	u64 enter = cpu->enter;

	if (!enter && cpu->active && cpu->current.irq == irq)
		return 0;
	cpu->enter = 0;
	begin_irq(cpu, irq, seat_of(filter, irq, id, how), enter, now);
	return 0;
}

SEC("tp_btf/irq_handler_entry")
int BPF_PROG(isr_claim, int irq)
{
	u64 now = bpf_ktime_get_ns();

	return claim_at_handler(now, irq, FETCH_CAST);
}

SEC("tp_btf/irq_handler_entry")
int BPF_PROG(isr_claim_probe, int irq)
{
	u64 now = bpf_ktime_get_ns();

	return claim_at_handler(now, irq, FETCH_PROBE);
}

/* apic_update_vector gives an IRQ another vector, or the same on another CPU. Until it fires there
 * the old CPU's table still has it. An active IRQ never gets another vector on the same CPU
 * (assign_vector_locked). */
SEC("tp_btf/vector_update")
int BPF_PROG(irq_moved, unsigned int irq, unsigned int vector, unsigned int cpu)
{
	struct rx_irq_filter *filter = wanted_irq(irq);

	if (filter)
		*(volatile u32 *)&filter->seat = cpu << 16 | RX_SEAT_KNOWN | (vector & 0xff);
	return 0;
}

SEC("tp_btf/irq_handler_exit")
int BPF_PROG(isr_exit, int irq, struct irqaction *action, int ret)
{
	u64 now = bpf_ktime_get_ns();
	u32 id;
	struct rx_cpu *cpu = this_cpu(&id);

	if (!cpu || !cpu->active || cpu->current.irq != irq)
		return 0;
	cpu->active = 0;
	if (rx.interrupts)
		write_irq(cpu, id, &cpu->current, cpu->claim, now, cpu->scheduled);
	return 0;
}
