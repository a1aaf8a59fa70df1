/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * Maps, switches and the ring. All maps are plain arrays: the kernel compiles a look-up in an array
 * into a handful of instructions on every version, and an array can be mapped by the reader. Why
 * our own ring and not BPF_MAP_TYPE_RINGBUF: one ring per CPU has one writer, so writing needs no
 * lock, no copy and no wake-up (ARCHITECTURE.md, "The ring").
 */
#pragma once

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* possible CPUs, set before loading */
	__type(key, u32);
	__type(value, struct rx_cpu);
} cpus SEC(".maps");

/* What a chunk holds, one behind the other. The records are named here so that the object's BTF has
 * them. */
struct rx_chunk {
	union {
		u8 bytes[RX_CHUNK_BYTES + RX_SLACK_BYTES];
		struct rx_packet packet;
		struct rx_poll poll; /* and rx_begun */
		struct rx_irq irq;
		struct rx_stage stage;
		struct rx_queued queued;
		struct rx_read read;
		struct rx_drop drop;
		struct rx_woken woken;
		struct rx_merged merged;
		struct rx_stream stream;
	};
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* rings x chunks, set before loading */
	__type(key, u32);
	__type(value, struct rx_chunk);
} chunks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* rings, set before loading */
	__type(key, u32);
	__type(value, struct rx_tail);
} tails SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, RX_MAX_IRQS);
	__type(key, u32);
	__type(value, struct rx_irq_filter);
} irqs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, RX_MAX_NAPIS);
	__type(key, u32);
	__type(value, struct rx_napi);
} napis SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, RX_MAX_THREADS);
	__type(key, u32);
	__type(value, struct rx_thread);
} threads SEC(".maps");

/* Written before loading: the verifier then drops what is off. */
const volatile struct rx_config rx = {.chunks_per_ring = 1, .possible_cpus = 1};

static __always_inline struct rx_cpu *this_cpu(u32 *cpu)
{
	*cpu = bpf_get_smp_processor_id();
	return bpf_map_lookup_elem(&cpus, cpu);
}

/* True for the interface that is traced. Its number alone is not enough: every network namespace
 * counts from 1. The look into the namespace is paid once per CPU, then the device is known by its
 * address. */
static __always_inline int our_device(struct rx_cpu *cpu, struct net_device *dev)
{
	if (rx.one_device) {
		if (dev->ifindex != cpu->ifindex)
			return 0;
		if ((u64)dev == cpu->device)
			return 1;
	}
	if (dev->nd_net.net->ns.inum != rx.netns)
		return 0;
	if (rx.one_device)
		cpu->device = (u64)dev;
	return 1;
}

/* Where the next record of ring `ring` goes, which must have room for it. */
static __always_inline void *ring_place(u32 ring, u32 head)
{
	u32 chunks_per_ring = rx.chunks_per_ring;
	u32 key = ring * chunks_per_ring + ((head / RX_CHUNK_BYTES) & (chunks_per_ring - 1));
	struct rx_chunk *chunk = bpf_map_lookup_elem(&chunks, &key);

	if (!chunk)
		return NULL;
	barrier_var(chunk); /* the compiler would add first and ask then: verifiers forbid it */
	return chunk->bytes + (head & (RX_CHUNK_BYTES - 1));
}

/* Whether ring `ring` has room for `size` bytes, and `spare` more behind them. */
static __always_inline int ring_has_room(u32 ring, u32 head, u32 *tail_seen, u32 size, u32 spare)
{
	u32 bytes = rx.chunks_per_ring * RX_CHUNK_BYTES;

	if (head + size + spare - *tail_seen > bytes) {
		struct rx_tail *tail = bpf_map_lookup_elem(&tails, &ring);

		if (!tail)
			return 0;
		*tail_seen = *(volatile u32 *)&tail->position;
		if (head + size + spare - *tail_seen > bytes)
			return 0;
	}
	return 1;
}

/* Where the next `size` bytes of ring `ring` go, or NULL when it is full. `spare` bytes stay free
 * behind them, so that the end of a poll always finds room after its packets. */
static __always_inline void *ring_reserve(u32 ring, u32 head, u32 *tail_seen, u32 size, u32 spare)
{
	if (!ring_has_room(ring, head, tail_seen, size, spare))
		return NULL;
	return ring_place(ring, head);
}

/* Publishes a record. x86 keeps stores in order, so a compiler barrier is enough; a weaker machine
 * would need a store-release here. */
static __always_inline void ring_commit(u32 *head, u32 size)
{
	barrier();
	*(volatile u32 *)head += size;
}

/* A softirq-side record must not start inside another one on the same CPU: netif_rx may be called
 * from a hard IRQ by a driver without NAPI. It would write over the open record, so it is counted
 * instead. */
static __always_inline int ring_enter(struct rx_cpu *cpu)
{
	if (cpu->busy) {
		cpu->loss.recursion++;
		return 0;
	}
	*(volatile u32 *)&cpu->busy = 1;
	barrier();
	return 1;
}

static __always_inline void ring_leave(struct rx_cpu *cpu)
{
	barrier();
	*(volatile u32 *)&cpu->busy = 0;
}

/* The slot of a NAPI instance. ids below MIN_NAPI_ID are not instances; transmit-only ones have id
 * 0. */
static __always_inline struct rx_napi *napi_slot(struct rx_cpu *cpu, u32 napi_id)
{
	u32 key = napi_id & (RX_MAX_NAPIS - 1);
	struct rx_napi *slot;

	if (!napi_id)
		return NULL;
	slot = bpf_map_lookup_elem(&napis, &key);
	if (!slot)
		return NULL;
	if (slot->napi_id != napi_id) {
		if (slot->napi_id)
			cpu->loss.napi_evicted++;
		slot->cause.flags = 0;
		slot->older.flags = 0;
		slot->previous_begin = 0;
		slot->previous_end = 0;
		slot->running = 0;
		slot->end_cpu = 0;
		slot->empty = 0;
		slot->queue = 0;
		slot->several = 0;
		slot->irq = 0;
		slot->napi_id = napi_id;
	}
	return slot;
}
