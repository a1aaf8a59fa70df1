/**
 * A NIC's PTP hardware clock, /dev/ptpN: readings of it beside CLOCK_MONOTONIC. The kernel knows three ways, best first;
 * a driver has one or more. Layouts: include/uapi/linux/ptp_clock.h.
 */
import { closeSync, openSync } from 'node:fs';
import { constants } from 'node:os';
import { type Answer, known, unknown } from '../base/answer.js';
import { clockOffset } from './clock.js';
import { ioc, ioctl } from './ioctl.js';
import { errnoText } from './libc.js';

/** One reading of a NIC's clock and CLOCK_MONOTONIC at the same moment. */
export interface CrossTimestamp {
  /** Nanoseconds of the NIC's clock. */
  readonly nic: bigint;
  /** Nanoseconds of CLOCK_MONOTONIC. */
  readonly mono: bigint;
  /** `mono` may be off by this much in either direction, ns. */
  readonly error: number;
}

/** How the readings are made. */
export type CrossMethod = 'PTP_SYS_OFFSET_PRECISE' | 'PTP_SYS_OFFSET_EXTENDED' | 'PTP_SYS_OFFSET';

const CLOCK_TIME = 16;
const MAX_SAMPLES = 25;
/** A struct begins with n_samples and three words; in the second one newer kernels take a clock id. */
const HEAD = 16;
const MONOTONIC = 1;

const PRECISE = ioc('both', '=', 8, 3 * CLOCK_TIME + 16);
const EXTENDED = ioc('both', '=', 9, HEAD + MAX_SAMPLES * 3 * CLOCK_TIME);
const OFFSET = ioc('write', '=', 5, HEAD + (2 * MAX_SAMPLES + 1) * CLOCK_TIME);

/** struct ptp_clock_time. */
function timeAt(view: DataView, offset: number): bigint {
  return view.getBigInt64(offset, true) * 1_000_000_000n + BigInt(view.getUint32(offset + 8, true));
}

/** System time before, the NIC's, system time after. */
type Bracket = readonly [before: bigint, nic: bigint, after: bigint];

function narrowest(brackets: readonly Bracket[]): Bracket {
  return brackets.reduce((best, one) => (one[2] - one[0] < best[2] - best[0] ? one : best));
}

const bracketed = ([before, nic, after]: Bracket): CrossTimestamp => ({
  nic,
  mono: (before + after) / 2n,
  error: Math.ceil(Number(after - before) / 2),
});

/** One try; a number is the errno. */
type Way = (fd: number, samples: number) => CrossTimestamp | number;

function sampled(samples: number, size: number): DataView {
  const view = new DataView(new ArrayBuffer(size));
  view.setUint32(0, Math.min(samples, MAX_SAMPLES), true);
  return view;
}

/**
 * A reading in CLOCK_REALTIME, moved to CLOCK_MONOTONIC: both run at the same rate, so only a clock that is set
 * meanwhile moves their distance. Then it is read again.
 */
function fromRealtime(read: () => CrossTimestamp | number): CrossTimestamp | number {
  for (let turn = 0; ; turn++) {
    const before = clockOffset('real');
    const reading = read();
    if (typeof reading === 'number') return reading;
    const after = clockOffset('real');
    const apart = Math.abs(Number(after.offset - before.offset));
    const best = before.error < after.error ? before : after;
    if (apart > before.error + after.error && turn < 3) continue;
    return {
      ...reading,
      mono: reading.mono - best.offset,
      error: reading.error + Math.max(best.error, apart),
    };
  }
}

function extendedIn(clock: number): Way {
  return (fd, samples) => {
    const view = sampled(samples, HEAD + MAX_SAMPLES * 3 * CLOCK_TIME);
    view.setUint32(4, clock, true);
    const errno = ioctl(fd, EXTENDED, new Uint8Array(view.buffer));
    if (errno !== 0) return errno;
    const at = (index: number, part: number): bigint => timeAt(view, HEAD + (index * 3 + part) * CLOCK_TIME);
    const brackets = Array.from(
      { length: view.getUint32(0, true) },
      (_, i): Bracket => [at(i, 0), at(i, 1), at(i, 2)],
    );
    return bracketed(narrowest(brackets));
  };
}

function precise(fd: number): CrossTimestamp | number {
  return fromRealtime(() => {
    const view = new DataView(new ArrayBuffer(3 * CLOCK_TIME + 16));
    const errno = ioctl(fd, PRECISE, new Uint8Array(view.buffer));
    // The hardware latches both clocks at once; what is left is the resolution of a counter.
    return errno === 0 ? { nic: timeAt(view, 0), mono: timeAt(view, CLOCK_TIME), error: 1 } : errno;
  });
}

function interleaved(fd: number, samples: number): CrossTimestamp | number {
  return fromRealtime(() => {
    const view = sampled(samples, HEAD + (2 * MAX_SAMPLES + 1) * CLOCK_TIME);
    const errno = ioctl(fd, OFFSET, new Uint8Array(view.buffer));
    if (errno !== 0) return errno;
    const at = (index: number): bigint => timeAt(view, HEAD + index * CLOCK_TIME);
    const count = view.getUint32(0, true);
    return bracketed(
      narrowest(Array.from({ length: count }, (_, i): Bracket => [at(2 * i), at(2 * i + 1), at(2 * i + 2)])),
    );
  });
}

const WAYS: readonly { readonly method: CrossMethod; readonly read: Way }[] = [
  { method: 'PTP_SYS_OFFSET_PRECISE', read: precise },
  // 6.13, c259acab839e "ptp/ioctl: support MONOTONIC{,_RAW} timestamps for PTP_SYS_OFFSET_EXTENDED"; EINVAL before.
  { method: 'PTP_SYS_OFFSET_EXTENDED', read: extendedIn(MONOTONIC) },
  {
    method: 'PTP_SYS_OFFSET_EXTENDED',
    read: (fd, samples) => fromRealtime(() => extendedIn(0)(fd, samples)),
  },
  { method: 'PTP_SYS_OFFSET', read: interleaved },
];

/** What a driver or kernel without one of the ways answers. */
const LACKS = new Set<number>([constants.errno.EOPNOTSUPP, constants.errno.ENOTTY, constants.errno.EINVAL]);

/** A clock that can be read beside CLOCK_MONOTONIC. */
export interface CrossClock {
  /** Reads both clocks `samples` times (1 to 25) and takes the narrowest; undefined when the NIC does not answer now. */
  crossTimestamp(samples?: number): CrossTimestamp | undefined;
}

/** An open PTP hardware clock. Reading it changes nothing. */
export class PtpClock implements CrossClock {
  /** The best way of the driver and kernel. */
  readonly method: CrossMethod;
  private readonly fd: number;
  private readonly read: Way;

  private constructor(fd: number, way: (typeof WAYS)[number]) {
    this.fd = fd;
    this.method = way.method;
    this.read = way.read;
  }

  /** Opens /dev/ptp`index` and finds the best way to read it; why not, where it cannot be. */
  static open(index: number): Answer<PtpClock> {
    const path = `/dev/ptp${index}`;
    let fd: number;
    try {
      fd = openSync(path, 'r');
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
      return unknown(`${path} cannot be opened (${code})`);
    }
    let errno = 0;
    for (const way of WAYS) {
      const reading = way.read(fd, 1);
      if (typeof reading !== 'number') return known(new PtpClock(fd, way));
      errno = reading;
      if (!LACKS.has(errno)) break;
    }
    closeSync(fd);
    return unknown(`${path} cannot be compared with the system's clocks (${errnoText(errno)})`);
  }

  crossTimestamp(samples = 5): CrossTimestamp | undefined {
    const reading = this.read(this.fd, samples);
    return typeof reading === 'number' ? undefined : reading;
  }

  close(): void {
    closeSync(this.fd);
  }
}
