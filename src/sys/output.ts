/** Standard output without a promise per line: text is gathered and written when it is much, or when flushed. */
import { writeSync } from 'node:fs';
import { RxError } from '../base/errors.js';

const GATHER = 1 << 18;
const FLUSH_AT = 1 << 16;
/** Bytes that one UTF-16 unit takes at most in UTF-8. */
const WIDEST = 3;
const sleeper = new Int32Array(new SharedArrayBuffer(4));

/** Writes to a file descriptor. A reader that went away (EPIPE, as with `| head`) sets {@link closed}. */
export class Output {
  closed = false;
  private readonly gathered = Buffer.allocUnsafe(GATHER);
  private used = 0;
  private readonly fd: number;

  constructor(fd = 1) {
    this.fd = fd;
  }

  write(text: string): void {
    if (text === '') return;
    if (this.used + text.length * WIDEST > GATHER) this.flush();
    if (text.length * WIDEST > GATHER) {
      this.writeAll(Buffer.from(text, 'utf8'));
      return;
    }
    this.used += this.gathered.write(text, this.used, 'utf8');
    if (this.used >= FLUSH_AT) this.flush();
  }

  /** Lets `fill` put at most `most` bytes into the buffer; it gets the position and returns the one behind. */
  fill(most: number, fill: (bytes: Uint8Array, at: number) => number): void {
    if (this.used + most > GATHER) this.flush();
    this.used = fill(this.gathered, this.used);
    if (this.used >= FLUSH_AT) this.flush();
  }

  /** Writes what was gathered; blocks while the reader is slow. */
  flush(): void {
    const { used } = this;
    this.used = 0;
    if (used > 0) this.writeAll(this.gathered.subarray(0, used));
  }

  private writeAll(bytes: Buffer): void {
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
