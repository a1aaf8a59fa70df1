/** What the kernel counts for BPF programs (struct bpf_prog_info). */
import { closeSync } from 'node:fs';
import { RxError } from '../base/errors.js';
import { errnoText } from './libc.js';
import { libbpf } from './libbpf.js';

/**
 * Turns BPF statistics on for as long as the result is open (BPF_ENABLE_STATS, 5.8): no sysctl is changed, and the kernel
 * turns them off when this process ends. Each run of a program then costs two more looks at the clock.
 * @returns undefined where the kernel refuses
 */
export function enableBpfStats(): { close(): void } | undefined {
  const fd = libbpf.enableStats(0) as number;
  return fd < 0 ? undefined : { close: () => closeSync(fd) };
}

/** Sums up what the kernel counts for some programs. */
export function bpfTimeOf(fds: readonly number[]): { readonly ns: number; readonly runs: number } {
  const all = fds.map(programStats);
  return {
    ns: all.reduce((sum, { runTimeNs }) => sum + runTimeNs, 0),
    runs: all.reduce((sum, { runCount }) => sum + runCount, 0),
  };
}

/** What the kernel counts for a program. Times only while kernel.bpf_stats_enabled is on. */
export interface ProgramStats {
  readonly id: number;
  readonly runTimeNs: number;
  readonly runCount: number;
  /** Hits dropped because the program was running on that CPU already; undefined before 5.12. */
  readonly recursionMisses: number | undefined;
}

/** Reads struct bpf_prog_info (uapi/linux/bpf.h): id at 4, run_time_ns at 192, run_cnt at 200, recursion_misses at 208. */
export function programStats(fd: number): ProgramStats {
  const info = new DataView(new ArrayBuffer(232));
  const size = [info.byteLength];
  const result = libbpf.infoByFd(fd, new Uint8Array(info.buffer), size) as number;
  if (result !== 0) {
    throw new RxError('RXS_SYS', {
      doing: 'reading program statistics',
      why: errnoText(result),
      hint: 'this is a defect in rxstamp; please report it',
    });
  }
  const u64 = (offset: number): number => Number(info.getBigUint64(offset, true));
  return {
    id: info.getUint32(4, true),
    runTimeNs: u64(192),
    runCount: u64(200),
    recursionMisses: Number(size[0]) >= 216 ? u64(208) : undefined,
  };
}
