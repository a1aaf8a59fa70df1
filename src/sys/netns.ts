/** Network namespaces: this process's, and whether there are others. */
import { readdirSync, readlinkSync } from 'node:fs';
import { inInitialPidNamespace } from './processes.js';

/** Its inode: what tells its interface numbers from those of other namespaces. */
export function networkNamespace(): number {
  return Number(/\[(\d+)\]/.exec(readlinkSync('/proc/self/ns/net'))?.[1] ?? 0);
}

/** True where other network namespaces are in sight, or this process cannot see all there are. */
export function mayBeOtherNamespaces(): boolean {
  const own = networkNamespace();
  if (!inInitialPidNamespace()) return true;
  return readdirSync('/proc').some((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      return Number(/\[(\d+)\]/.exec(readlinkSync(`/proc/${name}/ns/net`))?.[1]) !== own;
    } catch {
      return false; // it has ended, or is not ours to look at
    }
  });
}
