/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * Which packet an skb is: the table of packets that are followed beyond the driver stage, and the
 * same for TCP sockets. A word is an entry: a single store writes it whole, so that no CPU ever
 * reads half of one, and nothing is locked. An skb without an entry is not ours (or a filter left
 * it out): its later stages write nothing.
 */
#pragma once

/* Objects of the slab are at least 64 bytes apart, and kernel addresses differ in their low 47 bits
 * only: 41 bits name an object. An odd factor keeps them apart and mixes them into the upper ones:
 * 14 choose the set, the other 27 are in the word, so that no two objects have the same entry. */
#define NAME_BITS 41
#define NAME_MASK ((1ULL << NAME_BITS) - 1)
#define NAME_FACTOR 0x9e3779b97f4a7c15ULL
#define TAG_BITS 27
#define TAG_MASK ((1ULL << TAG_BITS) - 1)
#define CPU_BITS 10
#define ID_BITS (RX_SEQUENCE_BITS + CPU_BITS)
#define ID_MASK ((1ULL << ID_BITS) - 1)
#define SEQUENCE_MASK ((1U << RX_SEQUENCE_BITS) - 1)

#define NO_PACKET (~0ULL)

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* RX_TRACKED_SETS where packets are followed */
	__type(key, u32);
	__type(value, struct rx_tracked);
} packets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* the same */
	__type(key, u32);
	__type(value, struct rx_tracked);
} sockets SEC(".maps");

/* A kernel pointer as a number. The verifier forbids arithmetic on pointers but for their distance
 * (and their storage), so: distance to a place whose address lies in memory as a number. Whoever
 * interrupts this writes the same number there. */
static __always_inline u64 address_of(struct rx_cpu *cpu, const void *object)
{
	u64 distance = (u64)object;

	*(volatile u64 *)&cpu->self = (u64)cpu;
	asm volatile("%0 -= %1" : "+r"(distance) : "r"(cpu));
	return distance + *(volatile u64 *)&cpu->self;
}

static __always_inline struct rx_tracked *set_of(void *table, u64 address, u64 *tag)
{
	u64 name = ((address >> 6) * NAME_FACTOR) & NAME_MASK;
	u32 set = name >> TAG_BITS;

	*tag = name & TAG_MASK;
	return bpf_map_lookup_elem(table, &set);
}

/* What is known of an object, NO_PACKET: nothing. With `forget` it is not known any more. */
static __always_inline u64 look_up(void *table, u64 address, int forget)
{
	u64 tag, found = NO_PACKET;
	struct rx_tracked *set = set_of(table, address, &tag);

	if (!set)
		return NO_PACKET;
#pragma unroll
	for (u32 i = 0; i < RX_TRACKED_WAYS; i++) {
		u64 word = *(volatile u64 *)&set->way[i];

		if (word && word >> ID_BITS == tag) {
			found = word & ID_MASK;
			if (forget)
				*(volatile u64 *)&set->way[i] = 0;
			break;
		}
	}
	return found;
}

static __always_inline u64 find(struct rx_cpu *cpu, const struct sk_buff *skb)
{
	return look_up(&packets, address_of(cpu, skb), 0);
}

static __always_inline u64 take(struct rx_cpu *cpu, const struct sk_buff *skb)
{
	return look_up(&packets, address_of(cpu, skb), 1);
}

/* The way of a set that gives its place: of this CPU's packets the oldest, or any where all are
 * other CPUs': whose sequence is older cannot be told between CPUs. A socket bears the number of
 * the packet that it got last. */
static __always_inline u32 oldest_way(const struct rx_tracked *set, u64 id)
{
	u32 oldest = 0, way = id & (RX_TRACKED_WAYS - 1);

#pragma unroll
	for (u32 i = 0; i < RX_TRACKED_WAYS; i++) {
		u64 word = *(volatile u64 *)&set->way[i];
		u32 age = ((u32)id - (u32)word) & SEQUENCE_MASK;

		if (((word ^ id) & ID_MASK) >> RX_SEQUENCE_BITS == 0 && age >= oldest) {
			oldest = age;
			way = i;
		}
	}
	return way;
}

/* Enters an object. Returns the id of the one that had to go, NO_PACKET: none. */
static __always_inline u64 enter(void *table, u64 address, u64 id)
{
	u64 tag, gone = NO_PACKET;
	struct rx_tracked *set = set_of(table, address, &tag);
	u32 way = RX_TRACKED_WAYS;

	if (!set)
		return NO_PACKET;
#pragma unroll
	for (u32 i = 0; i < RX_TRACKED_WAYS; i++) {
		u64 word = *(volatile u64 *)&set->way[i];

		/* The same address again: what had it was freed unseen. */
		if (word && word >> ID_BITS == tag) {
			way = i;
			break;
		}
		if (!word && way == RX_TRACKED_WAYS)
			way = i;
	}
	if (way == RX_TRACKED_WAYS) {
		way = oldest_way(set, id);
		gone = *(volatile u64 *)&set->way[way & (RX_TRACKED_WAYS - 1)] & ID_MASK;
	}
	*(volatile u64 *)&set->way[way & (RX_TRACKED_WAYS - 1)] = tag << ID_BITS | id;
	return gone;
}

/* The place of a record about something later. `side`: in the second ring of this CPU, which is for
 * hooks that may run in a task: a softirq may interrupt them there, and must find its own ring as
 * it was. */
static __always_inline void *later_begin(struct rx_cpu *cpu, u32 id, u32 side, u32 size)
{
	void *record;

	if (side ? cpu->side_busy : cpu->busy) {
		cpu->loss.stages_recursion++;
		return NULL;
	}
	if (side) {
		*(volatile u32 *)&cpu->side_busy = 1;
		barrier();
		record = ring_reserve(rx.possible_cpus + id, cpu->irq_head, &cpu->irq_tail_seen,
				      size, 0);
		if (!record)
			*(volatile u32 *)&cpu->side_busy = 0;
	} else {
		*(volatile u32 *)&cpu->busy = 1;
		barrier();
		record = ring_reserve(id, cpu->head, &cpu->tail_seen, size,
				      rx.has_irqs ? sizeof(struct rx_poll) : 0);
		if (!record)
			*(volatile u32 *)&cpu->busy = 0;
	}
	if (!record)
		cpu->loss.stages_ring_full++;
	return record;
}

static __always_inline void later_end(struct rx_cpu *cpu, u32 side, u32 size)
{
	if (side) {
		ring_commit(&cpu->irq_head, size);
		barrier();
		*(volatile u32 *)&cpu->side_busy = 0;
	} else {
		ring_commit(&cpu->head, size);
		barrier();
		*(volatile u32 *)&cpu->busy = 0;
	}
}

static __always_inline u32 check_of(struct rx_cpu *cpu, const void *skb)
{
	return address_of(cpu, skb) >> 6;
}

static __always_inline void fill_stage(struct rx_stage *record, u32 what, u32 size, u64 packet,
				       u64 now, u32 check)
{
	record->kind = RX_STAGE;
	record->what = what;
	record->size = size;
	record->sequence = packet & SEQUENCE_MASK;
	record->time = now;
	record->origin = packet >> RX_SEQUENCE_BITS;
	record->flags = 0;
	record->check = check;
}

/* A record of `size` bytes about the packet that `skb` is, its rx_stage filled; to be finished by
 * later_end. With `last` this is the last that is seen of it. NULL: not ours, or no room. */
static __always_inline void *later_about(struct rx_cpu **cpu, u32 side, struct sk_buff *skb,
					 int last, u64 now, u32 what, u32 size)
{
	u32 id;

	*cpu = this_cpu(&id);
	if (!*cpu)
		return NULL;
	u64 packet = look_up(&packets, address_of(*cpu, skb), last);

	if (packet == NO_PACKET)
		return NULL;
	struct rx_stage *record = later_begin(*cpu, id, side, size);

	if (record)
		fill_stage(record, what, size, packet, now, check_of(*cpu, skb));
	return record;
}

/* A whole record that is nothing but a stamp of `packet`. */
static __always_inline void stamp_packet(struct rx_cpu *cpu, u32 id, u32 side, u32 what, u64 packet,
					 u64 now, u32 check)
{
	struct rx_stage *record = later_begin(cpu, id, side, sizeof(*record));

	if (!record)
		return;
	fill_stage(record, what, sizeof(*record), packet, now, check);
	later_end(cpu, side, sizeof(*record));
}

/* A later stage of a packet, on the softirq side. */
static __always_inline int stamp(struct sk_buff *skb, u64 now, u32 what)
{
	struct rx_cpu *cpu;
	struct rx_stage *record = later_about(&cpu, 0, skb, 0, now, what, sizeof(*record));

	if (record)
		later_end(cpu, 0, sizeof(*record));
	return 0;
}

/* Follows a packet after its record was published. `place` is the record's among this CPU's; taken
 * while the ring was held, so that both have the same order. */
static __always_inline void follow(struct rx_cpu *cpu, u32 id, struct sk_buff *skb, u64 now,
				   u32 place)
{
	u64 packet = (u64)id << RX_SEQUENCE_BITS | (place & SEQUENCE_MASK);
	u64 gone = enter(&packets, address_of(cpu, skb), packet);

	if (gone != NO_PACKET)
		stamp_packet(cpu, id, 0, RX_LATER_EVICTED, gone, now, 0);
}

/* A packet that is not recorded: whatever had its address was freed unseen. Not one that comes by
 * again on its way up (a bridge, a tunnel): the core has marked it with its first interface. */
static __always_inline void unfollow(struct sk_buff *skb)
{
	u32 id;
	struct rx_cpu *cpu = this_cpu(&id);

	if (cpu && !skb->skb_iif)
		take(cpu, skb);
}
