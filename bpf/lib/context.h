/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * Which context a program runs in, and which IRQ a vector is.
 */
#pragma once

/* 6.2, a35b9af4ec2c "bpf: Add a kfunc for generic type cast": plain loads from any address, faults
 * read as 0. */
extern void *bpf_rdonly_cast(void *obj, __u32 btf_id) __ksym __weak;

/* How memory behind an untyped pointer is read, by cast or by helper. Programs that need it come
 * twice, NAME and NAME_probe; the reader loads one of each pair. */
enum fetch { FETCH_CAST, FETCH_PROBE };

extern struct irq_desc *vector_irq[256] __ksym __weak;
extern const struct pcpu_hot pcpu_hot __ksym __weak;
extern const int __preempt_count __ksym __weak;

extern const unsigned long local_interrupt_disable_state __ksym __weak;

/* include/linux/preempt.h: 4 bits above 8 of preemption and 8 of softirq; 7.3 put 8 more in between
 * (9634d860ac15 "preempt: Introduce HARDIRQ_DISABLE_BITS"), for a count that this variable goes
 * with. */
#define HARDIRQ_MASK (&local_interrupt_disable_state ? 0x0f000000 : 0x000f0000)

/* Some bits of this CPU's preempt count; `unknown` where the kernel's BTF has no per-CPU variables
 * (5.10). */
static __always_inline u32 preempt_bits(u32 mask, u32 unknown)
{
	if (&pcpu_hot) {
		const struct pcpu_hot *hot = bpf_this_cpu_ptr(&pcpu_hot);

		return hot->preempt_count & mask;
	}
	if (&__preempt_count)
		return *(const int *)bpf_this_cpu_ptr(&__preempt_count) & mask;
	return unknown;
}

/* True in a hard interrupt. Where that cannot be read isr_exit ends rx_cpu.active instead, and this
 * may say yes too often. */
static __always_inline int in_hardirq(void)
{
	return preempt_bits(HARDIRQ_MASK, 1);
}

/* The field of the running task, by helper: bpf_get_current_task_btf is 5.11's. */
#define CURRENT(field) BPF_CORE_READ((struct task_struct___rx *)bpf_get_current_task(), field)

#define SOFTIRQ_OFFSET 0x100 /* set while a softirq runs; local_bh_disable adds twice as much */

/* PREEMPT_RT counts softirqs in the task: 8b1c04acad08 "softirq: Make softirq control and
 * processing RT aware". */
#define SOFTIRQS_BY_TASK bpf_core_field_exists(((struct task_struct___rx *)0)->softirq_disable_cnt)

/* include/linux/sched.h */
#define TASK_RTLOCK_WAIT 0x1000
#define PF_KTHREAD 0x00200000

/* Four letters of a task's name, as one number. */
#define WORD(a, b, c, d) ((u32)(a) | (u32)(b) << 8 | (u32)(c) << 16 | (u32)(d) << 24)

/* True when PREEMPT_RT wakes this task for itself, and whatever runs has nothing to do with it. A
 * spinlock sleeps there, and whoever lets one go wakes the next (5f220be21418 "sched/wakeup:
 * Prepare for RT sleeping spin/rwlocks"); and the end of an interrupt, which counts as the task's
 * own time, wakes the threads of the softirqs that it has raised (__irq_exit_rcu() in
 * kernel/softirq.c). */
static __always_inline int woken_by_rt(struct task_struct___rx *task)
{
	u32 name[2] = {};

	if (!SOFTIRQS_BY_TASK)
		return 0;
	/* Before 5.14 the field has another name, and the RT patches of that time no such state. */
	if (bpf_core_field_exists(task->__state) && BPF_CORE_READ(task, __state) & TASK_RTLOCK_WAIT)
		return 1;
	if (!(BPF_CORE_READ(task, flags) & PF_KTHREAD))
		return 0;
	bpf_probe_read_kernel(name, sizeof(name), &task->comm);
	return (name[0] == WORD('k', 's', 'o', 'f') && name[1] == WORD('t', 'i', 'r', 'q')) ||
	       (name[0] == WORD('k', 't', 'i', 'm') && name[1] == WORD('e', 'r', 's', '/'));
}

/* True when the softirq stamp of this CPU is about the code that runs now: threaded NAPI and busy
 * polling run with softirqs disabled, not in one. */
static __always_inline int serving_softirq(void)
{
	if (SOFTIRQS_BY_TASK)
		return CURRENT(softirq_disable_cnt) & SOFTIRQ_OFFSET;
	return preempt_bits(SOFTIRQ_OFFSET, 1);
}

/* The same also where the preempt count cannot be read: then by both ends of the softirq. */
static __always_inline int in_softirq(const struct rx_cpu *cpu)
{
	return rx.softirq_exit_hooked && !SOFTIRQS_BY_TASK ? cpu->softirq != 0 : serving_softirq();
}

/* The IRQ behind a vector of this CPU, 0 when there is none. Vectors are per CPU and move with the
 * affinity, so the kernel's own table is asked at every interrupt. VECTOR_UNUSED is NULL; SHUTDOWN
 * and RETRIGGERED are small errors. */
static __always_inline u32 irq_of_vector(u32 vector, enum fetch how)
{
	struct irq_desc **table, *desc;

	if (!vector_irq)
		return 0;
	table = bpf_this_cpu_ptr(&vector_irq);
	desc = table[vector & 0xff];
	if (!desc || (unsigned long)desc >= -4095UL)
		return 0;
	if (how == FETCH_CAST) {
		struct irq_desc *known =
		    bpf_rdonly_cast(desc, bpf_core_type_id_kernel(struct irq_desc));

		return known->irq_data.irq;
	}
	return BPF_CORE_READ(desc, irq_data.irq);
}

#define FIRST_DEVICE_VECTOR 0x20 /* FIRST_EXTERNAL_VECTOR */
#define VECTORS 256

/* The vector of an IRQ on this CPU, 0: it has none. */
static __always_inline u32 vector_of_irq(u32 irq, enum fetch how)
{
#pragma clang loop unroll(disable)
	for (u32 vector = FIRST_DEVICE_VECTOR; vector < VECTORS; vector++)
		if (irq_of_vector(vector, how) == irq)
			return vector;
	return 0;
}

#define SOFTIRQ_MASK 0x0000ff00

/* True where bottom halves are off: no softirq can start on this CPU, so that whoever runs here has
 * the softirq side's ring for itself. Where the count cannot be read: no. */
static __always_inline int bottom_halves_off(void)
{
	return preempt_bits(SOFTIRQ_MASK, 0);
}
