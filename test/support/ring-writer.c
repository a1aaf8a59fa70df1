// SPDX-License-Identifier: MIT
/*
 * The writer's side of the ring, bpf/lib/state.h, as a shared object: the very code that the kernel
 * runs, over memory that a test can see. The map helpers are replaced by plain arrays.
 */
#define SEC(name)
#define __uint(name, value) int(*name)[value]
#define __type(name, value) typeof(value) *name
#define __always_inline inline __attribute__((always_inline))
#define barrier() __asm__ volatile("" ::: "memory")
#define barrier_var(var) asm volatile("" : "+r"(var))
#define bpf_core_field_exists(field) 1
#define RINGS 4
#define CPUS 2
#define MAX_CHUNKS 64

#include "lib/kernel.h"

static void *bpf_map_lookup_elem(void *map, const void *key);
static u32 bpf_get_smp_processor_id(void)
{
	return 0;
}

#include "rxstamp.h"
#define const
#include "lib/state.h"
#undef const

static struct rx_chunk chunk_memory[MAX_CHUNKS];
static struct rx_tail tail_memory[RINGS];
static struct rx_cpu cpu_memory[CPUS];

static void *bpf_map_lookup_elem(void *map, const void *key)
{
	u32 index = *(const u32 *)key;

	if (map == &chunks)
		return index < MAX_CHUNKS ? &chunk_memory[index] : NULL;
	if (map == &tails)
		return index < RINGS ? &tail_memory[index] : NULL;
	return index < CPUS ? &cpu_memory[index] : NULL;
}

void *memory_of_chunks(void)
{
	return chunk_memory;
}

void *memory_of_tails(void)
{
	return tail_memory;
}

void *memory_of_cpus(void)
{
	return cpu_memory;
}

/* Empties all rings and lets them start at byte `position`. */
void reset(u32 chunks_per_ring, u32 position)
{
	__builtin_memset(chunk_memory, 0xa5, sizeof(chunk_memory));
	__builtin_memset(tail_memory, 0, sizeof(tail_memory));
	__builtin_memset(cpu_memory, 0, sizeof(cpu_memory));
	rx.chunks_per_ring = chunks_per_ring;
	rx.possible_cpus = CPUS;
	for (int cpu = 0; cpu < CPUS; cpu++) {
		cpu_memory[cpu].head = cpu_memory[cpu].tail_seen = position;
		cpu_memory[cpu].irq_head = cpu_memory[cpu].irq_tail_seen = position;
	}
	for (int ring = 0; ring < RINGS; ring++)
		tail_memory[ring].position = position;
}

/* Writes one record of `size` bytes whose second and last words are `mark`. Returns 0 when the ring
 * is full. */
int write_record(u32 ring, u32 size, u32 spare, u32 mark)
{
	struct rx_cpu *cpu = &cpu_memory[ring % CPUS];
	u32 *head = ring < CPUS ? &cpu->head : &cpu->irq_head;
	u32 *seen = ring < CPUS ? &cpu->tail_seen : &cpu->irq_tail_seen;
	u32 *record = ring_reserve(ring, *head, seen, size, spare);

	if (!record)
		return 0;
	record[0] = RX_STAGE | size << 16;
	record[1] = mark;
	record[size / 4 - 1] = mark;
	ring_commit(head, size);
	return 1;
}
