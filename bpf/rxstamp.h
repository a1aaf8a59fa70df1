/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * What the kernel side and the reader share: what lies in the rings, and in rxstate.h the
 * per-CPU state. src/method/ebpf/layout.gen.ts is generated from the BTF of these structs; CI
 * checks that it is current.
 *
 * All times are nanoseconds of CLOCK_MONOTONIC (bpf_ktime_get_ns). All integers are little endian,
 * as the CPU has them, except `protocol`, which is in network order as the skb holds it.
 */
#pragma once

/* A ring is a row of chunks. A record may run over the end of its chunk into the slack, so it is
 * never split. */
#define RX_CHUNK_BYTES 65536
#define RX_SLACK_BYTES 256

/* Header bytes kept per packet: IPv6 (40) + one VLAN tag (4) + ports (4). */
#define RX_HEADER_BYTES 48
#define RX_SHORT_HEADER_BYTES 24
/* The same where packets are followed beyond the driver stage: with the sequence numbers of TCP. */
#define RX_LONG_HEADER_BYTES 64
#define RX_LONG_SHORT_HEADER_BYTES 40

/* Packets that are followed (bpf/lib/track.h). */
#define RX_TRACKED_SETS 16384
#define RX_TRACKED_WAYS 8
#define RX_SEQUENCE_BITS 27
#define RX_MOST_TRACKED_CPUS 1024
#define RX_TASK_NAME_BYTES 16

/* Bytes that a filter expression can look at: a whole frame of the standard size. */
#define RX_FILTER_BYTES 1536
/* Instructions that it can take. */
#define RX_SLOT_INSTRUCTIONS 4096

#define RX_MAX_IRQS 4096
#define RX_MAX_NAPIS 1024
#define RX_PENDING 4
#define RX_MAX_THREADS 1024

enum rx_kind {
	RX_PACKET = 1, /* a packet at the driver stage */
	RX_POLL = 2,   /* the end of a NAPI poll: closes the packets before it in this ring */
	RX_IRQ = 3,    /* one interrupt, only with --interrupts */
	RX_STAGE = 4,  /* something later about one packet: rx_stage and what follows it */
	RX_STREAM = 5, /* something about a TCP socket, whoever's bytes it holds */
};

/* rx_stage.what. The first ones are stamps of the stages of the same name. */
enum rx_later {
	RX_LATER_STACK = 1,
	RX_LATER_IP = 2,
	RX_LATER_TRANSPORT = 3,
	RX_LATER_SOCKET = 4,
	RX_LATER_TCP_SOCKET = 5, /* rx_queued: the stamp of the socket stage, and which socket */
	RX_LATER_READ = 6,	 /* rx_read */
	RX_LATER_DROP = 7,	 /* rx_drop */
	RX_LATER_WOKEN = 8,	 /* rx_woken */
	RX_LATER_MERGED = 9,	 /* rx_merged: GRO put its bytes into another packet */
	RX_LATER_COALESCED = 10, /* rx_merged: the backlog of its TCP socket did */
	RX_LATER_CONSUMED = 11,	 /* freed, not dropped */
	RX_LATER_FORWARDED = 12, /* on its way out of the machine */
	RX_LATER_EVICTED = 13,	 /* nothing more will be told of it: its place was needed */
	RX_LATER_RELEASED = 14,	 /* rx_read: freed, not dropped; the task that did it, if one did */
};

/* rx_stage.flags */
enum rx_later_flag {
	RX_LATER_ENTERED = 1, /* the skb bears the mark of an interface that it came in by */
};

/* rx_stream.what */
enum rx_stream_what {
	RX_STREAM_READ = 1,
	RX_STREAM_CLOSED = 2,
};

/* rx_packet.flags */
enum rx_packet_flag {
	RX_PACKET_FRAGS =
	    1, /* napi_gro_frags: data starts at the Ethernet header, or lies in fragments */
	RX_PACKET_OPENED = 2,	/* belongs to the poll that the next RX_POLL of this ring closes */
	RX_PACKET_HARDWARE = 4, /* `hardware` is there, behind all of RX_LONG_HEADER_BYTES */
};

/* rx_poll.flags */
enum rx_poll_flag {
	RX_POLL_CAUSED = 1, /* an interrupt of this NAPI (the fields irq..raise) led to this poll */
	RX_POLL_AMBIGUOUS = 4, /* several interrupts were pending and nothing told them apart */
};

/* rx_poll.context: where a poll ran. The numbers are CONTEXT of src/record/lane.ts. */
enum rx_context {
	RX_CONTEXT_SOFTIRQ = 0,
	RX_CONTEXT_KSOFTIRQD = 1,
	RX_CONTEXT_THREADED = 2,   /* the NAPI instance's own kernel thread */
	RX_CONTEXT_BUSY_POLL = 3,  /* a task that waits for data, in napi_busy_loop */
	RX_CONTEXT_IRQ_THREAD = 4, /* threadirqs, PREEMPT_RT */
};

/* rx_cause.flags */
enum rx_cause_flag {
	RX_CAUSE_VALID = 1, /* written last, cleared by whoever takes the cause */
	RX_CAUSE_MISSED =
	    2, /* the NAPI was scheduled already when the interrupt came (NAPIF_STATE_MISSED) */
};

/* Stamps that are known at the driver stage; rx_config.slow_from and slow_to. */
enum rx_stamp {
	RX_STAMP_ENTRY = 1,
	RX_STAMP_ISR = 2,
	RX_STAMP_RAISE = 3,
	RX_STAMP_SOFTIRQ = 4,
	RX_STAMP_POLL = 5,
	RX_STAMP_DRIVER = 6,
};

struct rx_packet {
	__u8 kind;
	__u8 flags;
	__u16 size;
	__u32 len; /* bytes from the network header on, as skb->len is at this point */
	__u64 driver;
	__u64 skb;
	__u32 hash;
	__u16 protocol;
	__u16 vlan;
	__u32 spare; /* the header begins at a multiple of 8 */
	__u16 queue; /* receive queue + 1, 0: the driver does not record it */
	__u8 caplen;
	__u8 index; /* place in its poll from 1, counting what filters stopped; 255: or more */
	__u8 header[RX_LONG_HEADER_BYTES]; /* or less of it, `size` says how much */
	__u64 hardware; /* the NIC's own stamp, in its clock; only with its flag */
};

/* What led to a poll: one interrupt, from the CPU's entry to the NAPI schedule. A time of 0 was not
 * stamped. */
struct rx_cause {
	__u64 entry;
	__u64 isr;
	__u64 raise;
	__u32 irq;
	__u32 seat;  /* its vector, 0: not known; above 16 bits the CPU that took it */
	__u32 again; /* further interrupts of this NAPI before its poll; the times are the first
			one's */
	__u32 flags;
};

/* What is known of a poll before it ends; copied in one go, so there are no holes in it. */
struct rx_begun {
	__u64 start;
	__u64 softirq;
	__u64 previous_end; /* end of this NAPI's poll before, 0: none seen */
	__u64 empty; /* before this poll: all that had arrived by then had been taken, 0: unknown */
	__s32 previous_work;
	__u32 seen;    /* packets of this poll, with those that filters stopped or that were lost */
	__u32 packets; /* records of this poll in this ring */
	__u32 pid; /* 0: idle task, the poll ran on interrupt exit or from another task's softirq */
	struct rx_cause cause; /* only where its flags say so */
};

struct rx_poll {
	__u8 kind;
	__u8 flags;
	__u16 size;
	__u8 context; /* enum rx_context */
	__u8 spare[3];
	__u64 end;
	struct rx_begun begun;
	__s32 work;
	__s32 budget;
	__u32 napi_id;
	__u32 irq; /* the line that serves this NAPI, as last seen; also when no interrupt led to
		      this poll */
};

struct rx_irq {
	__u8 kind;
	__u8 flags;
	__u16 size;
	__u32 irq;
	__u64 entry;
	__u64 claim;
	__u64 isr;
	__u64 exit;
	__u16 vector;
	__u16 cpu;
	__u32 scheduled; /* napi_id of the NAPI that this interrupt scheduled, 0: none */
};

/* A packet is named by its CPU at the driver stage and its place among that CPU's records, from 0
 * and modulo 2^RX_SEQUENCE_BITS. A packet that was not recorded has no place. */
struct rx_stage {
	__u8 kind;
	__u8 what;
	__u16 size;
	__u32 sequence;
	__u64 time;
	__u16 origin; /* the packet's CPU; this record's ring tells where it was stamped */
	__u16 flags;
	__u32 check; /* bits 6 to 37 of the skb's address: must be the packet's */
};

struct rx_queued {
	struct rx_stage stage;
	__u64 sock;
};

struct rx_read {
	struct rx_stage stage;
	__u32 pid;
	__u32 tid;
	__u32 bytes;
	__u32 pad;
	char name[RX_TASK_NAME_BYTES];
};

struct rx_drop {
	struct rx_stage stage;
	__u32 reason; /* enum skb_drop_reason, a subsystem's above 16 bits; 0: the kernel has none
		       */
	__u32 pad;
};

struct rx_woken {
	struct rx_stage stage;
	__u32 tid;
	__u32 pad;
	char name[RX_TASK_NAME_BYTES];
};

struct rx_merged {
	struct rx_stage stage;
	__u32 into_sequence;
	__u16 into_origin; /* 0xffff: a packet that is not followed */
	__u16 pad;
};

struct rx_stream {
	__u8 kind;
	__u8 what;
	__u16 size;
	__u32 copied; /* tcp_sock.copied_seq: everything before it was read */
	__u64 time;
	__u64 sock;
	__u32 pid; /* 0: not a task's doing */
	__u32 tid;
	char name[RX_TASK_NAME_BYTES];
};

#include "rxstate.h"
