/** What the kernel says of its functions in debugfs and tracefs: which must not be probed, and which can be traced. */
import { HOST, type KernelFiles } from './files.js';

const TRACEFS = ['/sys/kernel/tracing', '/sys/kernel/debug/tracing'];

/** Names in kprobes/blacklist; undefined where debugfs is not mounted or not readable. */
export function kprobeBlacklist(files: KernelFiles = HOST): ReadonlySet<string> | undefined {
  const text = files.text('/sys/kernel/debug/kprobes/blacklist');
  if (text === undefined) return undefined;
  return new Set(
    [...text.matchAll(/^0x[0-9a-f]+-0x[0-9a-f]+\s+(\S+)$/gm)].map((match) => match[1] as string),
  );
}

/** Names in available_filter_functions; undefined where there is no function tracer or no tracefs. */
export function traceableFunctions(files: KernelFiles = HOST): ReadonlySet<string> | undefined {
  for (const folder of TRACEFS) {
    const text = files.text(`${folder}/available_filter_functions`);
    if (text !== undefined) return new Set([...text.matchAll(/^\S+/gm)].map((match) => match[0]));
  }
  return undefined;
}

/** Sections of code that nothing may hook, by the symbols at their ends (include/asm-generic/vmlinux.lds.h). */
const SECTIONS = {
  noinstr: ['__noinstr_text_start', '__noinstr_text_end'],
  entry: ['__entry_text_start', '__entry_text_end'],
} as const;

/** The sections by address. */
export function protectedSections(
  files: KernelFiles = HOST,
): readonly { readonly name: keyof typeof SECTIONS; readonly from: bigint; readonly to: bigint }[] {
  const text = files.text('/proc/kallsyms') ?? '';
  const at = (symbol: string): bigint | undefined => {
    const match = new RegExp(`^([0-9a-f]+) \\S ${symbol}$`, 'm').exec(text);
    return match === null ? undefined : BigInt(`0x${match[1]}`);
  };
  return Object.entries(SECTIONS).flatMap(([name, [first, last]]) => {
    const from = at(first);
    const to = at(last);
    return from === undefined || to === undefined ? [] : [{ name: name as keyof typeof SECTIONS, from, to }];
  });
}

/** The file of a module, as depmod lists it: `/lib/modules/6.12/kernel/drivers/.../igb.ko.xz`; undefined where it does not. */
export function moduleFile(module: string, release: string, files: KernelFiles = HOST): string | undefined {
  const folder = `/lib/modules/${release}`;
  const name = module.replaceAll('_', '[_-]');
  const match = new RegExp(`^(\\S*/${name}\\.ko(?:\\.[a-z0-9]+)?):`, 'm').exec(
    files.text(`${folder}/modules.dep`) ?? '',
  );
  return match === null ? undefined : `${folder}/${match[1]}`;
}
