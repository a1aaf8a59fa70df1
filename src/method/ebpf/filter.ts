/** The filter expression of a session: what it is, and what the packet programs must know of it. */
import { CONFIG } from './layout.gen.js';

/** A filter expression, ready for the kernel (src/filter, bpf/lib/slot.h). */
export interface KernelFilter {
  readonly expression: string;
  /** Its instructions, at most SLOT_ROOM of them. */
  readonly code: Uint8Array;
  /** Bytes of a packet that it looks at. */
  readonly reach: number;
  /** True: it begins at the Ethernet header; else at the network header. */
  readonly ethernet: boolean;
}

/** Tells the packet programs whether and how to filter; the instructions are written by slot.ts. */
export function setFilter(rodata: DataView, filter: KernelFilter | undefined): void {
  rodata.setUint32(CONFIG.filter, Number(filter !== undefined), true);
  rodata.setUint32(CONFIG.filterEthernet, Number(filter?.ethernet ?? false), true);
  rodata.setUint32(CONFIG.filterBytes, filter?.reach ?? 0, true);
}
