/**
 * The few libc calls that Node does not offer. Every function throws {@link RxError} `RXS_SYS` with the errno's name;
 * memory that is mapped here stays mapped until its {@link Mapping} is closed.
 */
import koffi from 'koffi';
import { constants } from 'node:os';
import { RxError } from '../base/errors.js';

const libc = koffi.load('libc.so.6');
const mmap = libc.func('void *mmap(void *addr, size_t length, int prot, int flags, int fd, long offset)');
const munmap = libc.func('int munmap(void *addr, size_t length)');
const clockGettime = libc.func('int clock_gettime(int clock, void *time)');
const vsnprintf = libc.func('int vsnprintf(void *buffer, size_t size, const char *format, void *args)');

/** Ends the process at once; see src/sys/end.ts. */
export const exitNow: (code: number) => void = libc.func('void _exit(int code)');

const PROT_READ = 1;
const PROT_WRITE = 2;
const MAP_SHARED = 1;

/** Name and text of an errno: `EPERM (operation not permitted)`. */
export function errnoText(errno: number): string {
  const wanted = Math.abs(errno);
  const name = Object.entries(constants.errno).find(([, value]) => value === wanted)?.[0];
  if (wanted === 524) return 'ENOTSUPP (not supported by this kernel)';
  return name ?? `errno ${wanted}`;
}

/** errno of the last call through koffi on this thread. */
export function lastErrno(): number {
  return koffi.errno();
}

/** A piece of memory shared with the kernel. Touching `buffer` after close() would crash, so close() empties it. */
export interface Mapping {
  readonly buffer: ArrayBuffer;
  close(): void;
}

/** Maps `length` bytes of `fd` from `offset` (both multiples of the page size), readable, and writable if asked. */
export function mapShared(fd: number, length: number, offset: number, writable: boolean): Mapping {
  const protection = PROT_READ | (writable ? PROT_WRITE : 0);
  const address = mmap(null, length, protection, MAP_SHARED, fd, offset) as bigint;
  if (address === 0xffffffffffffffffn || address === -1n) {
    const errno = lastErrno();
    throw new RxError(errno === constants.errno.ENOMEM ? 'RXS_NO_MEMORY' : 'RXS_SYS', {
      doing: 'mapping kernel memory',
      subject: `(${length} bytes)`,
      why: errnoText(errno),
      hint: 'use a smaller --buffer',
    });
  }
  const buffer = koffi.view(address, length);
  let open = true;
  return {
    buffer,
    close() {
      if (open) munmap(address, length);
      open = false;
    },
  };
}

/** Linux clock ids. */
export const CLOCK_IDS = { real: 0, mono: 1, boot: 7, tai: 11 } as const;

/** Clocks that a stamp can be shown in. */
export type ClockName = keyof typeof CLOCK_IDS;

const timespec = new BigInt64Array(2);

/** Nanoseconds of a clock, exact. */
export function clockNow(clock: ClockName): bigint {
  clockGettime(CLOCK_IDS[clock], timespec);
  return (timespec[0] ?? 0n) * 1_000_000_000n + (timespec[1] ?? 0n);
}

/** Formats a C format string with a va_list, as a libbpf print callback gets them. */
export function formatVaList(format: string, args: unknown): string {
  const buffer = Buffer.alloc(65_536);
  const length = vsnprintf(buffer, buffer.length, format, args) as number;
  return buffer.toString('utf8', 0, Math.min(Math.max(length, 0), buffer.length - 1));
}
