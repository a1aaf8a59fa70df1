/** Finds the kernel modules a guest needs, with what they depend on, in loading order. */
import { readFileSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { RxError } from '../src/base/errors.js';
import { mustRun } from './programs.js';

/** A module as the kernel loads it: uncompressed. */
export interface KernelModule {
  readonly name: string;
  readonly data: Buffer;
}

/** Module names count - and _ as the same. */
const plain = (file: string): string => (basename(file).split('.ko')[0] ?? '').replaceAll('-', '_');

function moduleFiles(folder: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile() && entry.name.includes('.ko')) {
      found.set(plain(entry.name), join(entry.parentPath, entry.name));
    }
  }
  return found;
}

async function load(file: string): Promise<Buffer> {
  const data = readFileSync(file);
  const unpacker = file.endsWith('.xz') ? 'xz' : file.endsWith('.zst') ? 'zstd' : undefined;
  return unpacker === undefined
    ? data
    : mustRun('unpacking a kernel module', unpacker, ['-dc'], { input: data });
}

/** Names in the `depends=` entry of a module's .modinfo section. */
export function dependsOf(module: Buffer): string[] {
  const mark = Buffer.from('\0depends=');
  const start = module.indexOf(mark);
  if (start < 0) return [];
  const from = start + mark.length;
  const text = module.subarray(from, module.indexOf(0, from)).toString();
  return text
    .split(',')
    .filter((name) => name !== '')
    .map(plain);
}

/**
 * The wanted modules and all they depend on, each after its own needs. What the kernel has built in is left out.
 * @param folder a kernel's lib/modules/RELEASE
 * @throws RXS_LAB when the kernel has no such module
 */
export async function moduleClosure(folder: string, wanted: readonly string[]): Promise<KernelModule[]> {
  const builtin = new Set(readFileSync(join(folder, 'modules.builtin'), 'utf8').split('\n').map(plain));
  const files = moduleFiles(join(folder, 'kernel'));
  const order = new Map<string, KernelModule>();
  const add = async (name: string): Promise<void> => {
    if (builtin.has(name) || order.has(name)) return;
    const file = files.get(name);
    if (file === undefined) {
      throw new RxError('RXS_LAB', {
        doing: 'collecting kernel modules',
        subject: name,
        why: `${folder} has no such module`,
        hint: 'pick another kernel or another NIC: rxstamp lab --list',
      });
    }
    const data = await load(file);
    for (const dependency of dependsOf(data)) await add(dependency);
    order.set(name, { name, data });
  };
  for (const name of wanted) await add(plain(name));
  return [...order.values()];
}
