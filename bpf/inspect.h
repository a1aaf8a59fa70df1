/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * Rows that bpf/inspect.bpf.c writes and src/sys/inspect.ts reads. Offsets are repeated there, and
 * the reader refuses an object whose rows have another size.
 */
#pragma once

#define RX_DOMAINS 6
#define RX_ACTIONS 4
#define RX_NAPI_ROWS 512
#define RX_QUEUE_ROWS 512
#define RX_NAME_BYTES 64
#define RX_WORDS_BEFORE 128

struct rx_action_row {
	u64 dev_id;
	u64 handler_address;
	u64 thread_address;
	u32 flags;
	u32 pad;
	char handler[RX_NAME_BYTES];
	char thread[RX_NAME_BYTES];
	char name[RX_NAME_BYTES];
};

struct rx_irq_row {
	u32 irq;
	u32 vector; /* 0: none assigned now */
	u32 cpu;
	u32 actions;
	u64 flow_address;
	char flow[RX_NAME_BYTES];
	struct rx_action_row action[RX_ACTIONS];
};

struct rx_napi_row {
	u64 address;
	u64 poll_address;
	/* The words before the napi_struct: the start of the queue structure that embeds it. */
	u64 before[RX_WORDS_BEFORE];
	u32 id;
	s32 irq;
	u32 threaded;
	u32 pad;
	char poll[RX_NAME_BYTES];
};

/* What read_napis found. */
struct rx_napi_head {
	u64 device;
	u32 napis;
	u32 queues;
};
