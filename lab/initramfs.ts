/** Builds the initramfs of a kernel and a NIC: busybox, the modules, the two scripts. Kept by content. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cached } from './cache.js';
import { type CpioEntry, S_IFCHR, S_IFDIR, S_IFREG, cpioArchive } from './cpio.js';
import type { KernelFiles } from './fetch.js';
import { agentScript, initScript } from './guest-scripts.js';
import { moduleClosure } from './modules.js';

/** What every guest loads: the way to the host's files, the port to the host, and what tests of the receive path use. */
const BASE_MODULES = 'virtio_pci virtio_console 9pnet_virtio 9p overlay veth tun sch_ingress'.split(' ');

/**
 * The initramfs file for a kernel that loads `drivers` besides the base modules. Made once per content, some
 * milliseconds afterwards.
 */
export async function ensureInitramfs(
  kernel: KernelFiles,
  drivers: readonly string[],
  busybox: string,
): Promise<string> {
  const wanted = [...BASE_MODULES, ...drivers];
  const recipe = [kernel.package, wanted.join(), busybox, initScript([]), agentScript()].join('\n');
  const key = createHash('sha256').update(recipe).digest('hex').slice(0, 16);
  const file = join(cached('initramfs'), `${kernel.release}-${drivers.join('-') || 'no-nic'}-${key}.cpio`);
  if (existsSync(file)) return file;
  const modules = await moduleClosure(kernel.modules, wanted);
  const names = modules.map((module) => module.name);
  const folders = ['bin', 'dev', 'mods', 'newroot', 'proc', 'ro', 'sys', 'up'];
  const entries: CpioEntry[] = [
    ...folders.map((path) => ({ path, mode: S_IFDIR | 0o755 })),
    { path: 'dev/console', mode: S_IFCHR | 0o600, device: [5, 1] },
    { path: 'bin/busybox', mode: S_IFREG | 0o755, data: readFileSync(busybox) },
    { path: 'init', mode: S_IFREG | 0o755, data: Buffer.from(initScript(names)) },
    { path: 'agent', mode: S_IFREG | 0o644, data: Buffer.from(agentScript()) },
    ...modules.map(({ name, data }) => ({ path: `mods/${name}.ko`, mode: S_IFREG | 0o644, data })),
  ];
  // Not compressed: the emulated CPU unpacks far slower than the host copies.
  const staging = `${file}.${process.pid}`;
  writeFileSync(staging, cpioArchive(entries));
  renameSync(staging, file);
  return file;
}
