// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * The driver's own interrupt function, as if its author had written the time down there: one record
 * per call of handler(irq, dev_id). Which function that is user space says when it loads the
 * object, by fentry where BTF has the function, by kprobe where it has not (modules before 5.11). A
 * function per program: a shared line has several, and so have two NICs. Records and rings are
 * those of rxstamp.h.
 */
#include "lib/kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>
#include "rxstamp.h"
#include "lib/state.h"

static __always_inline int handler(u64 now, u32 irq)
{
	u32 id;
	struct rx_cpu *cpu = this_cpu(&id);
	struct rx_irq_filter *filter = bpf_map_lookup_elem(&irqs, &irq);

	if (!cpu || !filter || !filter->wanted || (rx.cpu_only && !cpu->on))
		return 0;
	/* A handler in a thread (threadirqs) may be interrupted by another one of its CPU. */
	if (!ring_enter(cpu))
		return 0;
	struct rx_irq *record = ring_reserve(id, cpu->head, &cpu->tail_seen, sizeof(*record), 0);

	if (record) {
		record->kind = RX_IRQ;
		record->flags = 0;
		record->size = sizeof(*record);
		record->irq = irq;
		record->entry = 0;
		record->claim = 0;
		record->isr = now;
		record->exit = 0;
		record->vector = 0;
		record->cpu = id;
		record->scheduled = 0;
		ring_commit(&cpu->head, sizeof(*record));
	} else {
		cpu->loss.irqs_ring_full++;
	}
	ring_leave(cpu);
	return 0;
}

#define HANDLER(number)                                                                            \
	SEC("fentry")                                                                              \
	int BPF_PROG(fentry_##number, int irq)                                                     \
	{                                                                                          \
		return handler(bpf_ktime_get_ns(), irq);                                           \
	}                                                                                          \
	SEC("kprobe")                                                                              \
	int kprobe_##number(struct pt_regs *regs)                                                  \
	{                                                                                          \
		return handler(bpf_ktime_get_ns(), (u32)regs->di);                                 \
	}

/* As many as RX_HANDLERS of src/method/driver/source.ts. */
HANDLER(0)
HANDLER(1)
HANDLER(2)
HANDLER(3)

char LICENSE[] SEC("license")
= "Dual MIT/GPL";
