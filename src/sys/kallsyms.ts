/** /proc/kallsyms: kernel functions by name. Reading it takes some 50 ms; ask for all names at once. */
import { HOST, type KernelFiles } from './files.js';

/** A symbol. `address` is 0n where the kernel hides addresses (kernel.kptr_restrict, CAP_SYSLOG). */
export interface KernelSymbol {
  readonly name: string;
  readonly address: bigint;
  /** `T`, `t`, `D`, ... as in nm. */
  readonly type: string;
  readonly module: string | undefined;
}

/** The symbols with these names; several may share one name. undefined when the file cannot be read. */
export function findSymbols(
  names: readonly string[],
  files: KernelFiles = HOST,
): readonly KernelSymbol[] | undefined {
  const text = files.text('/proc/kallsyms');
  if (text === undefined) return undefined;
  const wanted = names.map((name) => name.replace(/[.$]/g, '\\$&')).join('|');
  const line = new RegExp(`^([0-9a-f]+) (\\S) (${wanted})(?:\\t\\[(.*)\\])?$`, 'gm');
  return [...text.matchAll(line)].map(([, address = '0', type = '', name = '', module]) => ({
    name,
    address: BigInt(`0x${address}`),
    type,
    module,
  }));
}

/** Name of the function that starts at `address`, with its module as the kernel writes it: `igb_poll [igb]`. */
export function functionAt(address: bigint, files: KernelFiles = HOST): string | undefined {
  const text = files.text('/proc/kallsyms');
  const line = new RegExp(`^${address.toString(16).padStart(16, '0')} [tTwW] (\\S+)(?:\\t\\[(.*)\\])?$`, 'm');
  const match = address === 0n ? null : line.exec(text ?? '');
  if (match === null) return undefined;
  return match[2] === undefined ? match[1] : `${match[1]} [${match[2]}]`;
}
