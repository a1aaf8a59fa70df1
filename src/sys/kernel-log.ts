/** /dev/kmsg: the kernel's log, record by record, each with a number, so that what was overwritten is noticed. */
import koffi from 'koffi';
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { RxError } from '../base/errors.js';

/** One record of the log. */
export interface LogRecord {
  /** Its place among all records since boot. */
  readonly sequence: number;
  /** When it was printed: local_clock() in microseconds, rounded down. */
  readonly micros: number;
  /** CPU that printed it outside of a task, where the kernel records that (CONFIG_PRINTK_CALLER); else -1. */
  readonly cpu: number;
  readonly text: string;
}

/** `6,339,5140900,-;text` and lines of its dictionary, as Documentation/ABI/testing/dev-kmsg has it; undefined: damaged. */
export function parseLogRecord(record: string): LogRecord | undefined {
  const match = /^\d+,(\d+),(\d+),([^;]*);([^\n]*)/.exec(record);
  if (match === null) return undefined;
  const [, sequence, micros, flags = '', text = ''] = match;
  const caller = /(?:^|,)caller=C(\d+)/.exec(flags)?.[1];
  return {
    sequence: Number(sequence),
    micros: Number(micros),
    cpu: caller === undefined ? -1 : Number(caller),
    text,
  };
}

/** The longest record that the kernel gives out (PRINTK_MESSAGE_MAX), with room. */
const LONGEST = 16_384;

const lseek = koffi.load('libc.so.6').func('long lseek(int fd, long offset, int whence)');
const SEEK_DATA = 3;

/** Reads the log from now on. */
export class KernelLog {
  private readonly fd: number;
  private readonly bytes = Buffer.allocUnsafe(LONGEST);
  private next = -1;
  /** Records that were overwritten before they were read, whoever wrote them. */
  missing = 0;
  /** Records that could not be read. */
  damaged = 0;

  /** Skips what is in the log. @throws RxError RXS_SYS where it cannot be read */
  constructor(path = '/dev/kmsg') {
    try {
      this.fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    } catch (cause) {
      throw refused(path, cause);
    }
    // Behind what was cleared; the rest is read for its last number: a gap behind it is seen then.
    lseek(this.fd, 0, SEEK_DATA);
    try {
      this.read(() => {});
    } catch (error) {
      this.close();
      throw error;
    }
    this.missing = this.damaged = 0;
  }

  /** Gives all records that came since the last time. @returns how many */
  read(take: (record: LogRecord) => void): number {
    for (let count = 0; ; ) {
      const text = this.one();
      if (text === undefined) return count;
      if (text === '') continue;
      const record = parseLogRecord(text);
      count++;
      if (record === undefined) {
        this.damaged++;
        continue;
      }
      if (this.next >= 0 && record.sequence > this.next) this.missing += record.sequence - this.next;
      this.next = record.sequence + 1;
      take(record);
    }
  }

  /** A record; '' where some were overwritten; undefined: there is none. */
  private one(): string | undefined {
    try {
      return this.bytes.toString('latin1', 0, readSync(this.fd, this.bytes));
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException;
      if (code === 'EAGAIN') return undefined;
      if (code === 'EPIPE') return '';
      throw refused('/dev/kmsg', cause);
    }
  }

  close(): void {
    closeSync(this.fd);
  }
}

function refused(path: string, cause: unknown): RxError {
  return new RxError('RXS_SYS', {
    doing: 'reading the kernel’s log',
    subject: path,
    why: (cause as NodeJS.ErrnoException).code ?? String(cause),
    hint: 'run it with sudo; where sysctl kernel.dmesg_restrict is 1 it takes CAP_SYSLOG',
    cause,
  });
}
