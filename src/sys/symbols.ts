/** Kernel addresses by symbol: /proc/kallsyms read once, in one pass for all addresses. */
import { type Answer, known, unknown } from '../base/answer.js';
import { HOST, type KernelFiles } from './files.js';

/** The function that an address is in. */
export interface Symbolized {
  readonly name: string;
  /** Bytes behind its start. */
  readonly offset: number;
  /** `igb`; `bpf` for BPF programs and trampolines; undefined in the kernel image. */
  readonly module: string | undefined;
}

/** No function is as large. */
const LARGEST = 1024 * 1024;
const LINE = /^([0-9a-f]{16}) [tTwW] (\S+)(?:\t\[(.*)\])?$/gm;

/**
 * The functions that these addresses are in, in the same order; undefined for one that lies before all. Of several
 * names of one address the first one in the table, which is what the kernel prints too (kallsyms_lookup).
 */
export function symbolize(
  addresses: readonly bigint[],
  files: KernelFiles = HOST,
): Answer<(Symbolized | undefined)[]> {
  const text = files.text('/proc/kallsyms');
  if (text === undefined) return unknown('/proc/kallsyms cannot be read');
  const wanted = addresses.map((address) => address.toString(16).padStart(16, '0'));
  const starts = wanted.map(() => '');
  const found: ({ name: string; module: string | undefined } | undefined)[] = wanted.map(() => undefined);
  let hidden = true;
  for (const [, start = '', name = '', module] of text.matchAll(LINE)) {
    if (hidden && start !== '0000000000000000') hidden = false;
    for (let i = 0; i < wanted.length; i++) {
      // 16 digits: the order of the text is the order of the numbers.
      if (start > (wanted[i] as string) || start <= (starts[i] as string)) continue;
      starts[i] = start;
      found[i] = { name, module };
    }
  }
  if (hidden) return unknown('the kernel hides its addresses (kernel.kptr_restrict, CAP_SYSLOG)');
  return known(
    found.map((one, i) => {
      if (one === undefined) return undefined;
      const offset = Number((addresses[i] as bigint) - BigInt(`0x${starts[i]}`));
      // Behind the last symbol of its neighbourhood: in code that has none.
      return offset > LARGEST ? undefined : { name: one.name, module: one.module, offset };
    }),
  );
}
