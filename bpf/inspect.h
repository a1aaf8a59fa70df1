/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * Rows that bpf/inspect.bpf.c writes and src/sys/inspect.ts reads. Offsets are repeated there; the
 * native test compares sizes with the object's maps.
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
	char flow[RX_NAME_BYTES];
	struct rx_action_row action[RX_ACTIONS];
};

struct rx_napi_row {
	u64 address;
	/* The words before the napi_struct: the start of the queue structure that embeds it. */
	u64 before[RX_WORDS_BEFORE];
	u32 id;
	s32 irq;
	u32 threaded;
	u32 pad;
	char poll[RX_NAME_BYTES];
};

/* Context of the programs: request in, answer out. */
struct rx_inspect_args {
	u32 fd;
	u32 irq;
	s32 ifindex;
	u32 found;
	u32 queues;
	u32 pad;
	u64 device;
};
