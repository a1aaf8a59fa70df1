/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * What bpf/chain.bpf.c writes and src/chain/capture.ts reads. Offsets are repeated there, and the
 * reader refuses an object whose values have another size.
 */
#pragma once

#define RX_CHAIN_FRAMES 64
#define RX_CHAIN_HOOKS 16
#define RX_CHAIN_IRQS 4096

/* One call stack, return addresses innermost first. */
struct rx_stack {
	u32 taken; /* written last */
	u32 irq;
	u32 cpu;
	s32 bytes; /* of address; negative: errno */
	u64 address[RX_CHAIN_FRAMES];
};

/* When each hooked function was last entered on a CPU, and where its next sample goes. */
struct rx_chain_cpu {
	u64 time[RX_CHAIN_HOOKS];
	u32 next;
	u32 end;
};

/* The same for one interrupt, at its handler's end; 0: not entered since the one before. */
struct rx_sample {
	u64 time[RX_CHAIN_HOOKS];
};
