// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * `rxstamp stack`: the call stack of one interrupt, and when each function of it that can be hooked
 * is entered. User space says which functions, after it has seen the stack. Several lines may be
 * wanted, of which each runs on one CPU at a time: what is timed is written per CPU, and has one
 * writer.
 */
#include "lib/kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>
#include "chain.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, RX_CHAIN_IRQS);
	__type(key, u32);
	__type(value, u64);
} wanted SEC(".maps");

enum { STACK_HANDLER, STACK_TRACEPOINT, STACKS };

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, STACKS);
	__type(key, u32);
	__type(value, struct rx_stack);
} stacks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* possible CPUs, set before loading */
	__type(key, u32);
	__type(value, struct rx_chain_cpu);
} chain_cpus SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* as many per CPU as are asked for, set before loading */
	__type(key, u32);
	__type(value, struct rx_sample);
} samples SEC(".maps");

static __always_inline int is_wanted(u32 irq)
{
	u64 *on = bpf_map_lookup_elem(&wanted, &irq);

	return on && *on;
}

static __always_inline int take_stack(void *ctx, u32 irq, u32 which)
{
	struct rx_stack *stack;

	if (!is_wanted(irq))
		return 0;
	stack = bpf_map_lookup_elem(&stacks, &which);
	if (!stack || *(volatile u32 *)&stack->taken)
		return 0;
	stack->irq = irq;
	stack->cpu = bpf_get_smp_processor_id();
	stack->bytes = bpf_get_stack(ctx, stack->address, sizeof(stack->address), 0);
	barrier();
	*(volatile u32 *)&stack->taken = 1;
	return 0;
}

SEC("fentry")
int stack_fentry(u64 *ctx)
{
	return take_stack(ctx, ctx[0], STACK_HANDLER);
}

SEC("kprobe")
int stack_kprobe(struct pt_regs *ctx)
{
	return take_stack(ctx, ctx->di, STACK_HANDLER);
}

SEC("tp_btf/irq_handler_entry")
int stack_tracepoint(u64 *ctx)
{
	return take_stack(ctx, ctx[0], STACK_TRACEPOINT);
}

static __always_inline int entered(u64 now, u32 hook)
{
	u32 id = bpf_get_smp_processor_id();
	struct rx_chain_cpu *cpu = bpf_map_lookup_elem(&chain_cpus, &id);

	if (cpu)
		cpu->time[hook & (RX_CHAIN_HOOKS - 1)] = now;
	return 0;
}

#define HOOK(number)                                                                               \
	SEC("fentry")                                                                              \
	int time_fentry_##number(void *ctx)                                                        \
	{                                                                                          \
		return entered(bpf_ktime_get_ns(), number);                                        \
	}                                                                                          \
	SEC("kprobe")                                                                              \
	int time_kprobe_##number(void *ctx)                                                        \
	{                                                                                          \
		return entered(bpf_ktime_get_ns(), number);                                        \
	}

/* The last two are the tracepoint's, and the second program on one function. */
HOOK(0)
HOOK(1)
HOOK(2)
HOOK(3)
HOOK(4)
HOOK(5)
HOOK(6)
HOOK(7)
HOOK(8)
HOOK(9)
HOOK(10)
HOOK(11)
HOOK(12)
HOOK(13)

SEC("tp_btf/irq_handler_entry")
int time_tracepoint(void *ctx)
{
	return entered(bpf_ktime_get_ns(), 14);
}

SEC("fentry")
int time_twin(void *ctx)
{
	return entered(bpf_ktime_get_ns(), 15);
}

/* The interrupt's handler is through: what was entered on its way. All is taken away, so that a
 * function that the next interrupt does not enter is not shown with this one's time. */
SEC("tp_btf/irq_handler_exit")
int publish(u64 *ctx)
{
	u32 irq = ctx[0];
	u32 id = bpf_get_smp_processor_id();

	struct rx_chain_cpu *cpu = bpf_map_lookup_elem(&chain_cpus, &id);

	if (!cpu)
		return 0;
	if (is_wanted(irq)) {
		u32 index = *(volatile u32 *)&cpu->next;
		struct rx_sample *sample = bpf_map_lookup_elem(&samples, &index);

		if (sample && index < cpu->end) {
			__builtin_memcpy(sample->time, cpu->time, sizeof(sample->time));
			barrier();
			*(volatile u32 *)&cpu->next = index + 1;
		}
	}
	__builtin_memset(cpu->time, 0, sizeof(cpu->time));
	return 0;
}

char LICENSE[] SEC("license")
= "Dual MIT/GPL";
