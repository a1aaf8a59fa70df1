// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* The slot alone, in a program that BPF_PROG_TEST_RUN can run: the packet lies in a map. */
#include "lib/kernel.h"
#include <bpf/bpf_helpers.h>
#include "rxstamp.h"
#include "lib/slot.h"

struct input {
	u32 caplen, length, vlan, pad;
	u8 bytes[RX_FILTER_BYTES];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct input);
} input SEC(".maps");

SEC("tc")
int filter_run(void *skb)
{
	u32 zero = 0;
	struct input *in = bpf_map_lookup_elem(&input, &zero);

	if (!in)
		return -1;
	/* What the kernel side promises: no more than there is. */
	u32 caplen = in->caplen > RX_FILTER_BYTES ? RX_FILTER_BYTES : in->caplen;

	return rx_filter(in->bytes, caplen, in->length, in->vlan) ? 1 : 0;
}

char LICENSE[] SEC("license")
= "GPL";
