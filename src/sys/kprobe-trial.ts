/** Whether the kernel takes a kprobe on a function: one is opened through the kprobe PMU and closed. It counts nothing. */
import { closeSync } from 'node:fs';
import { constants } from 'node:os';
import koffi from 'koffi';
import { HOST, type KernelFiles } from './files.js';
import { errnoText, lastErrno } from './libc.js';

const syscall = koffi
  .load('libc.so.6')
  .func('long syscall(long number, const void *attr, int pid, int cpu, int group, unsigned long flags)');
const PERF_EVENT_OPEN = 298;
const CLOSE_ON_EXEC = 8;
/** struct perf_event_attr up to PERF_ATTR_SIZE_VER5. */
const ATTR = { size: 112, kprobeFunction: 56 } as const;

const { EACCES, EADDRNOTAVAIL, EINVAL, ENOENT, EPERM } = constants.errno;

const REASONS: ReadonlyMap<number, string> = new Map([
  [ENOENT, 'not a function of this kernel (absent, inlined or renamed)'],
  [EINVAL, 'the kernel lets nothing probe it (kprobes/blacklist)'],
  [EADDRNOTAVAIL, 'several functions of this kernel have that name'],
  [EACCES, 'not permitted (CAP_PERFMON)'],
  [EPERM, 'not permitted (CAP_PERFMON, or a policy of this machine)'],
]);

/** @returns undefined when the kernel takes it, else why not */
export function tryKprobe(name: string, files: KernelFiles = HOST): string | undefined {
  const type = files.text('/sys/bus/event_source/devices/kprobe/type');
  if (type === undefined) return 'this kernel has no kprobes (CONFIG_KPROBE_EVENTS)';
  const text = Buffer.from(`${name}\0`);
  const attr = new DataView(new ArrayBuffer(ATTR.size));
  attr.setUint32(0, Number(type), true);
  attr.setUint32(4, ATTR.size, true);
  attr.setBigUint64(ATTR.kprobeFunction, koffi.address(text), true);
  const fd: number = Number(syscall(PERF_EVENT_OPEN, new Uint8Array(attr.buffer), -1, 0, -1, CLOSE_ON_EXEC));
  if (fd < 0) {
    const errno = lastErrno();
    return REASONS.get(errno) ?? errnoText(errno);
  }
  closeSync(fd);
  return undefined;
}
