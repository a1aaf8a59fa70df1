/**
 * perf events on tracepoints, one CPU at a time: several events that write into one ring, so that they stay in one order
 * and the memory is not multiplied. Everything is gone when the descriptors are closed, in whatever way the process ends.
 */
import { closeSync, readSync } from 'node:fs';
import { constants } from 'node:os';
import koffi from 'koffi';
import { RxError } from '../../base/errors.js';
import { type Mapping, errnoText, lastErrno, mapShared } from '../libc.js';
import { IOC, READ_LOST, tracepointAttr } from './attr.js';
import { PerfRing, type PerfVisitor } from './ring.js';

const libc = koffi.load('libc.so.6');
const syscall = libc.func('long syscall(long number, void *attr, int pid, int cpu, int group, long flags)');
const ioctlBytes = libc.func('ioctl', 'int', ['int', 'unsigned long', 'void *']);
const ioctlNumber = libc.func('ioctl', 'int', ['int', 'unsigned long', 'long']);

/** __NR_perf_event_open. */
const PERF_EVENT_OPEN = process.arch === 'arm64' ? 241 : 298;
const FD_CLOEXEC = 8;
const PAGE = 4096;

/** A tracepoint to listen to. */
export interface PerfEvent {
  /** `irq:irq_handler_entry`. */
  readonly name: string;
  /** Its number in tracefs. */
  readonly id: number;
  /** The kernel's filter on its fields: `irq == 25`; undefined: every hit. */
  readonly filter: string | undefined;
}

/** What the kernel counted of one event on one CPU. */
export interface PerfCount {
  /** Hits that the filter let through, whether there was room for them or not. */
  readonly hits: number;
  /** Those without room; undefined before 6.0. */
  readonly lost: number | undefined;
}

function refused(event: PerfEvent, cpu: number, doing: string, errno: number, hint?: string): RxError {
  const denied = errno === constants.errno.EACCES || errno === constants.errno.EPERM;
  return new RxError('RXS_PERF', {
    doing: `${doing} perf event`,
    subject: `${event.name} on CPU ${cpu}`,
    why: errnoText(errno),
    hint:
      hint ??
      (denied
        ? 'run it with sudo, or grant cap_perfmon (before 5.8: cap_sys_admin) to the node binary; a container may forbid the system call altogether'
        : 'does `perf record -e irq:irq_handler_entry -a sleep 1` work here? if it does, please report this'),
  });
}

/** Opens one event. @returns the descriptor, or minus the errno */
function openEvent(id: number, cpu: number, readFormat: number): number {
  const fd = Number(syscall(PERF_EVENT_OPEN, tracepointAttr(id, readFormat), -1, cpu, -1, FD_CLOEXEC));
  return fd < 0 ? -lastErrno() : fd;
}

/** Whether the kernel would let this process open the event; undefined: yes, else why not. Leaves nothing behind. */
export function perfRefuses(id: number, cpu: number): string | undefined {
  const fd = openEvent(id, cpu, 0);
  if (fd < 0) return errnoText(fd);
  closeSync(fd);
  return undefined;
}

/** The events of one CPU and their ring. */
export class CpuEvents {
  readonly cpu: number;
  private readonly events: readonly PerfEvent[];
  private readonly fds: number[] = [];
  private readonly indexes = new Map<number, number>();
  private mapping: Mapping | undefined;
  private ring: PerfRing | undefined;
  private hasLost = true;

  private constructor(cpu: number, events: readonly PerfEvent[]) {
    this.cpu = cpu;
    this.events = events;
  }

  /**
   * Opens the events, off as yet.
   * @param bytes of the ring, a power of two of at least 4096
   * @param base CLOCK_MONOTONIC nanoseconds that times are relative to
   * @returns undefined when the CPU is offline
   * @throws RxError RXS_PERF, RXS_NO_MEMORY
   */
  static open(cpu: number, events: readonly PerfEvent[], bytes: number, base: bigint): CpuEvents | undefined {
    const opened = new CpuEvents(cpu, events);
    try {
      return opened.openAll(bytes, base) ? opened : undefined;
    } catch (error) {
      opened.close();
      throw error;
    }
  }

  private openAll(bytes: number, base: bigint): boolean {
    for (const event of this.events) {
      let fd = openEvent(event.id, this.cpu, this.hasLost ? READ_LOST : 0);
      if (fd === -constants.errno.EINVAL && this.fds.length === 0) {
        this.hasLost = false;
        fd = openEvent(event.id, this.cpu, 0);
      }
      if (fd === -constants.errno.ENODEV && this.fds.length === 0) return false;
      if (fd < 0) throw refused(event, this.cpu, 'opening', fd);
      this.fds.push(fd);
      this.prepare(event, fd, bytes, base);
    }
    return true;
  }

  private prepare(event: PerfEvent, fd: number, bytes: number, base: bigint): void {
    const id = new BigUint64Array(1);
    this.must(event, 'asking the number of', ioctlBytes(fd, IOC.id, id) as number);
    this.indexes.set(Number(id[0]), this.fds.length - 1);
    if (event.filter !== undefined) {
      const filter = Buffer.from(`${event.filter}\0`);
      const hint = `the kernel does not take the filter ${JSON.stringify(event.filter)}`;
      this.must(event, 'filtering', ioctlBytes(fd, IOC.setFilter, filter) as number, hint);
    }
    const [first] = this.fds as [number];
    if (fd !== first) {
      this.must(event, 'joining the ring of', ioctlNumber(fd, IOC.setOutput, first) as number);
      return;
    }
    this.mapping = mapShared(fd, PAGE + bytes, 0, true);
    const control = new BigUint64Array(this.mapping.buffer, 0, PAGE / 8);
    this.ring = new PerfRing(control, new Uint32Array(this.mapping.buffer, PAGE, bytes / 4), base);
  }

  private must(event: PerfEvent, doing: string, result: number, hint?: string): void {
    if (result < 0) throw refused(event, this.cpu, doing, lastErrno(), hint);
  }

  /** Which of the events a sample is of; -1: none. */
  indexOf(identifier: number): number {
    return this.indexes.get(identifier) ?? -1;
  }

  /** Switches all events on. */
  enable(): void {
    for (const [i, fd] of this.fds.entries())
      this.must(this.events[i] as PerfEvent, 'enabling', ioctlNumber(fd, IOC.enable, 0) as number);
  }

  /** Switches all events off; when it returns, none is being written. */
  disable(): void {
    for (const fd of this.fds) ioctlNumber(fd, IOC.disable, 0);
  }

  /** As {@link PerfRing.drain}. */
  drain(upTo: number, visitor: PerfVisitor): number {
    return this.ring?.drain(upTo, visitor) ?? 0;
  }

  /** What the kernel counted, in the order of the events. */
  counts(): readonly PerfCount[] {
    const values = new BigUint64Array(2);
    return this.fds.map((fd) => {
      const bytes = readSync(fd, values, 0, this.hasLost ? 16 : 8, null);
      return { hits: Number(values[0]), lost: bytes < 16 ? undefined : Number(values[1]) };
    });
  }

  /** Takes everything down. */
  close(): void {
    this.ring = undefined;
    this.mapping?.close();
    this.mapping = undefined;
    for (const fd of this.fds.splice(0)) closeSync(fd);
  }
}
