/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * Bytes of a packet that lie in a page, not in the skb's linear part.
 */
#pragma once

#define PAGE_SIZE 4096
#define NET_IOV 1

/* Copies from the first page fragment of the packet, and returns how many bytes;
 * `most` is a constant that `room` never exceeds. Programs for
 * tracing get no help with fragments before 6.12, so the page's address is worked out as
 * page_address() does on x86-64: both bases are kernel variables. */
static __always_inline u32 from_fragment(struct sk_buff *skb, u8 *to, u32 room, const u32 most)
{
	struct skb_shared_info *info = (void *)skb->head + skb->end;
	void *first = (void *)info + bpf_core_field_offset(struct skb_shared_info, frags);
	u64 page, pages = 0, memory = 0;
	u32 length, offset;

	if (!rx.vmemmap_base || !BPF_CORE_READ(info, nr_frags))
		return 0;
	if (bpf_core_type_exists(struct skb_frag)) {
		struct skb_frag *frag = first;

		page = BPF_CORE_READ(frag, netmem);
		length = BPF_CORE_READ(frag, len);
		offset = BPF_CORE_READ(frag, offset);
		if (page & NET_IOV) /* memory of a device */
			return 0;
	} else {
		struct bio_vec *frag = first;

		page = (u64)BPF_CORE_READ(frag, bv_page);
		length = BPF_CORE_READ(frag, bv_len);
		offset = BPF_CORE_READ(frag, bv_offset);
	}
	bpf_probe_read_kernel(&pages, sizeof(pages), (void *)rx.vmemmap_base);
	bpf_probe_read_kernel(&memory, sizeof(memory), (void *)rx.page_offset_base);
	u64 number = (page - pages) / bpf_core_type_size(struct page);
	u64 address = memory + number * PAGE_SIZE + offset;

	if (length > room)
		length = room;
	barrier_var(length);
	if (length > most) /* known already, but not to the verifier */
		return 0;
	return bpf_probe_read_kernel(to, length, (void *)address) ? 0 : length;
}
