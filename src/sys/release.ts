/** Which kernel runs. */
import { readlinkSync } from 'node:fs';
import { release } from 'node:os';

/** `6.12.95+deb12-amd64`: for messages, never to decide what is possible. */
export function kernelRelease(): string {
  return release();
}

/** Inode of this process' network namespace: what tells its interface numbers from those of others. */
export function networkNamespace(): number {
  return Number(/\[(\d+)\]/.exec(readlinkSync('/proc/self/ns/net'))?.[1] ?? 0);
}
