/** The network namespace of this process. */
import { readlinkSync } from 'node:fs';

/** Its inode: what tells its interface numbers from those of other namespaces. */
export function networkNamespace(): number {
  return Number(/\[(\d+)\]/.exec(readlinkSync('/proc/self/ns/net'))?.[1] ?? 0);
}
