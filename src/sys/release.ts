/** Which kernel runs. */
import { release } from 'node:os';

/** `6.12.95+deb12-amd64`: for messages, never to decide what is possible. */
export function kernelRelease(): string {
  return release();
}
