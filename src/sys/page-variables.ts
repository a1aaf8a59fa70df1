/** Where the kernel keeps what page_address() needs on x86-64: how BPF programs find the bytes of a page fragment. */
import { HOST, type KernelFiles } from './files.js';

/** Addresses of two kernel variables. */
export interface PageVariables {
  readonly vmemmapBase: bigint;
  readonly pageOffsetBase: bigint;
}

const NAMES = ['vmemmap_base', 'page_offset_base'];

/**
 * Undefined where /proc/kallsyms has no variables (no CONFIG_KALLSYMS_ALL) or hides addresses. Reads the whole file:
 * some 50 ms.
 */
export function pageVariables(files: KernelFiles = HOST): PageVariables | undefined {
  const bytes = files.bytes('/proc/kallsyms');
  const [vmemmapBase, pageOffsetBase] = NAMES.map((name) => {
    const at = bytes?.indexOf(` ${name}\n`) ?? -1;
    // `ffffffff82a1c5d8 D name`
    return at < 18 ? 0n : BigInt(`0x${bytes?.toString('latin1', at - 18, at - 2)}`);
  });
  return vmemmapBase && pageOffsetBase ? { vmemmapBase, pageOffsetBase } : undefined;
}
