/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * The place that a filter expression is written into. src/method/ebpf/slot.ts overwrites the
 * instructions below in the object's bytes, with as many of its own, before libbpf opens them: so
 * no relocation, no jump and no BTF of the object moves.
 */
#pragma once

/* What src/filter/convert.ts counts on: r1 = bytes, a map value of RX_FILTER_BYTES; r2 = how many
 * of them are the packet's; r3 = length of the whole packet; r4 = VLAN tag: 0x10000 | TCI, or 0.
 * The verdict is left in r0; every other register but r10 may be used, and 64 bytes of stack. */
static __noinline int rx_filter(const u8 *bytes, u32 caplen, u32 length, u32 vlan)
{
	register u64 r0 asm("r0") = 1;
	register const u8 *r1 asm("r1") = bytes;
	register u32 r2 asm("r2") = caplen;
	register u32 r3 asm("r3") = length;
	register u32 r4 asm("r4") = vlan;

	asm volatile(".rept %[count]\n goto +0\n .endr\n"
		     : "+r"(r0), "+r"(r1), "+r"(r2), "+r"(r3), "+r"(r4)
		     : [count] "i"(RX_SLOT_INSTRUCTIONS)
		     : "r5", "r6", "r7", "r8", "r9", "memory");
	return r0;
}
