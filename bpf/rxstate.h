/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * The rest of what the kernel side and the reader share: what the reader decides, and the state
 * that the programs keep per CPU, IRQ, thread and NAPI instance. Included by rxstamp.h, whose types
 * it uses.
 */
#pragma once

/* What the reader decides before loading. */
struct rx_config {
	__u32 chunks_per_ring; /* a power of two */
	__u32 possible_cpus;
	__u32 one_device;   /* only rx_cpu.ifindex; 0: any interface whose interrupt is wanted */
	__u32 netns;	    /* inode of our network namespace: ifindex repeats in others */
	__u32 queue;	    /* receive queue + 1, 0: any */
	__u32 irq_only;	    /* only packets whose NAPI was last scheduled by a wanted IRQ */
	__u32 cpu_only;	    /* look at rx_cpu.on */
	__u32 has_irqs;	    /* the interface has interrupts: keep polls and causes */
	__u32 enter_hooked; /* irq_enter stamps every interrupt */
	__u32 entry_hooked; /* irq_vector or a flow handler sets rx_cpu.current */
	__u32 prep_hooked;  /* napi_prep ties an interrupt to its NAPI; else by rx_pending */
	__u32 exit_hooked;  /* isr_exit ends rx_cpu.current */
	__u32 softirq_exit_hooked; /* softirq_exit ends rx_cpu.softirq */
	__u32 interrupts;	   /* write an RX_IRQ record per interrupt */
	__u32 tracked;		   /* packets are followed beyond the driver stage */
	__u32 wake_end_hooked;	   /* socket_tcp_done ends rx_cpu.waking */
	__u32 hardware;		   /* the NIC stamps packets: read it */
	__u32 slow_from; /* enum rx_stamp: only packets that took longer than slow_ns from here */
	__u32 slow_to;	 /* to here; 0: all */
	__u64 slow_ns;
	__u32 start_hooked;	/* napi_poll_start sees every poll but the busy ones */
	__u32 irq_threads;	/* interrupts of the interface are handled in threads */
	__u32 filter;		/* a filter was written into rx_filter (bpf/lib/slot.h) */
	__u32 filter_ethernet;	/* it begins at the Ethernet header, else at the network header */
	__u32 filter_bytes;	/* how many bytes it looks at, at most RX_FILTER_BYTES */
	__u64 vmemmap_base;	/* addresses of two kernel variables, to find the bytes of a page */
	__u64 page_offset_base; /* fragment; 0: not known */
};

/* Losses per CPU, by cause. Read in place by the reader. */
struct rx_loss {
	__u64 packets_ring_full;
	__u64 stages_ring_full;
	__u64 irqs_ring_full;
	__u64 recursion;	/* a hook ran inside another one's ring write on this CPU */
	__u64 stages_recursion; /* a later stage while another record was being written there */
	__u64 sockets_evicted;	/* more TCP sockets with followed packets than there is room for */
	__u64 hardware_late;	/* the NIC's stamp is in a form that only its driver can read */
	__u64 napi_evicted; /* two NAPI instances wanted the same slot: the older one's interrupt is
			       forgotten */
};

/* Packets per CPU that a filter stopped: they are counted in their poll and here, and take no room.
 */
struct rx_filtered {
	__u64 faster;	  /* not slower than rx_config.slow_ns */
	__u64 unstamped;  /* lack a stamp that slow_from or slow_to names */
	__u64 unmatched;  /* the expression says no */
	__u64 unreadable; /* it says no without some of the bytes that it looks at */
};

/* The poll that is open on a CPU. */
struct rx_open_poll {
	struct rx_begun begun;
	__u64 first;   /* driver stamp of its first packet, 0: none yet; only where starts are not
			  hooked */
	__u64 last;    /* of the last one, also of one that a filter leaves out; 0: none */
	__u64 number;  /* when it was seen to begin, which names it; 0: it was not */
	__u32 napi_id; /* 0: not known yet */
	__u32 lost;    /* packets that found the ring full */
	__u8 open;
	__u8 wanted;
	__u8 flags;
	__u8 listed; /* packets came as a list: their stamps say nothing about the queue */
	__u16 queue; /* of the last packet */
	__u8 context;
	__u8 pad;
};

/* An interrupt that raised NET_RX and waits for its poll; only where NAPI scheduling itself cannot
 * be hooked. */
struct rx_pending {
	struct rx_cause cause;
	__u64 latest_isr;
	__u32 ifindex;
	__u32 queue; /* receive queue + 1, 0: unknown */
};

/* The packet that is being queued on a socket right now: who is woken meanwhile is woken by it. */
struct rx_waking {
	__u64 packet;
	__u64 time;
	__u64 sock;
	__u64 task; /* who queues it, in a softirq or not: nobody else wakes by it */
	__u32 check;
	__u8 active;
	__u8 side; /* in which ring its records go */
	__u8 in_softirq;
	__u8 pad;
};

/* One per possible CPU. `head` and `loss` are read by the reader through mmap, `on`, `ifindex` and
 * `one_queue` are set by it.
 */
struct rx_cpu {
	__u32 head;	 /* softirq ring: bytes written, modulo 2^32 */
	__u32 tail_seen; /* the reader's position when we last looked */
	__u32 irq_head;
	__u32 irq_tail_seen;
	__u32 on; /* 0: this CPU is filtered out */
	__u32 busy;
	__u32 ifindex;	 /* of the interface that is traced; set by the reader, at any time */
	__u32 one_queue; /* no NAPI instance serves more than one receive queue; the same */
	struct rx_loss loss;
	__u64 self;	 /* where this is: what turns a pointer into a number (bpf/lib/track.h) */
	__u32 sequence;	 /* packets recorded, when they are followed */
	__u32 side_busy; /* as busy, of the second ring */
	__u32 in_softirq;
	__u32 pad2;
	struct rx_waking waking;
	__u64 device; /* the net_device that was found to be ours */
	/* the interrupt being served */
	__u64 enter; /* irq_enter_rcu, not yet claimed */
	__u64 claim; /* when the hook that knows the vector ran; only with --interrupts */
	__u32 active;
	__u32 pending_slot; /* index + 1 into pending of the active interrupt */
	__u32 scheduled;
	__u32 pad;
	struct rx_cause current;
	__u64 softirq;
	struct rx_open_poll poll;
	struct rx_pending pending[RX_PENDING];
	struct rx_filtered filtered;
	/* where the task that polled last does so: without a softirq, and in one */
	__u32 contexts_of; /* its pid */
	__u8 contexts[2];
} __attribute__((aligned(64)));

/* One set of the table of followed packets or sockets, one cache line. */
struct rx_tracked {
	__u64 way[RX_TRACKED_WAYS];
};

/* The reader's position in a ring; a line of its own, so that the reader does not slow the writer.
 */
struct rx_tail {
	__u32 position;
	__u32 pad[15];
};

/* In rx_irq_filter.seat: it was looked for on this CPU. Above all vectors, below the CPU. */
#define RX_SEAT_KNOWN 0x8000

/* Per IRQ number, filled before attaching. */
struct rx_irq_filter {
	__u32 wanted;
	__u32 ifindex; /* 0: several interfaces share the line */
	__u32 queue;   /* receive queue + 1, 0: unknown */
	__u32 seat;    /* RX_SEAT_KNOWN, and as in rx_cause where it was found last; else 0 */
};

/* Per thread of a wanted interrupt, at its pid modulo RX_MAX_THREADS. By thread and not by CPU: a
 * thread may be preempted, and move. */
struct rx_thread {
	struct rx_cause next; /* its hard interrupt, until the thread takes it */
	struct rx_cause now;  /* what it runs for */
	__u32 pid;
	__u32 forced; /* irq_forced_thread_fn has taken it, and may call irq_thread_fn */
} __attribute__((aligned(64)));

/* Per NAPI instance, at napi_id modulo RX_MAX_NAPIS. */
struct rx_napi {
	struct rx_cause cause;
	struct rx_cause older; /* overtaken by `cause`; only where no poll's start is seen */
	__u64 previous_begin;
	__u64 previous_end;
	__u64 empty; /* as in rx_poll */
	__s32 previous_work;
	__u32 napi_id;
	__u32 irq;     /* last interrupt seen for it, 0: none */
	__u16 queue;   /* receive queue + 1 of its packets, 0: none recorded yet */
	__u16 several; /* it has had packets of more than one receive queue */
	__u64 running; /* number of the poll that has not ended yet, 0: none */
	__u32 end_cpu; /* where previous_end was, + 1 */
} __attribute__((aligned(64)));
