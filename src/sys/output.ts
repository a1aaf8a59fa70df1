/** Standard output without a promise per line: text is gathered and written when it is much, or when flushed. */
import { writeSync } from 'node:fs';
import { RxError } from '../base/errors.js';

const GATHER = 1 << 16;
const sleeper = new Int32Array(new SharedArrayBuffer(4));

/** Writes to a file descriptor. A reader that went away (EPIPE, as with `| head`) sets {@link closed}. */
export class Output {
  closed = false;
  private parts: string[] = [];
  private size = 0;
  private readonly fd: number;

  constructor(fd = 1) {
    this.fd = fd;
  }

  write(text: string): void {
    this.parts.push(text);
    this.size += text.length;
    if (this.size >= GATHER) this.flush();
  }

  /** Writes what was gathered; blocks while the reader is slow. */
  flush(): void {
    if (this.size === 0) return;
    const bytes = Buffer.from(this.parts.join(''), 'utf8');
    this.parts = [];
    this.size = 0;
    if (this.closed) return;
    for (let done = 0; done < bytes.length; ) done += this.writeSome(bytes, done);
  }

  private writeSome(bytes: Buffer, from: number): number {
    try {
      return writeSync(this.fd, bytes, from);
    } catch (cause) {
      const code = (cause as NodeJS.ErrnoException).code;
      if (code === 'EAGAIN') {
        // Somebody made the pipe non-blocking: wait a little instead of spinning.
        Atomics.wait(sleeper, 0, 0, 1);
        return 0;
      }
      if (code === 'EPIPE') {
        this.closed = true;
        return bytes.length - from;
      }
      throw new RxError('RXS_OUTPUT', {
        doing: 'writing the output',
        why: code ?? String(cause),
        hint: 'is the disk full?',
        cause,
      });
    }
  }
}
