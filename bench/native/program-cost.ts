/**
 * What the kernel counts for rxstamp's BPF programs. The statistics are switched on by a file descriptor
 * (BPF_ENABLE_STATS) and not through sysctl kernel.bpf_stats_enabled: the kernel switches them off again when this
 * process ends, in whatever way.
 */
import { closeSync, readFileSync, readdirSync } from 'node:fs';
import koffi from 'koffi';
import { RxError } from '../../src/base/errors.js';
import { tryRun } from '../lib/run.js';
import type { Undo } from '../lib/undo.js';

const RUN_TIME = 0;

/** Switches run-time statistics on until the returned function is called or the process ends. */
export function enableStatistics(undo: Undo): () => void {
  const fd = koffi.load('libbpf.so.1').func('int bpf_enable_stats(int type)')(RUN_TIME) as number;
  if (fd < 0) {
    throw new RxError('RXS_SYS', {
      doing: 'switching BPF statistics on',
      why: `errno ${-fd}`,
      hint: 'run the bench as root',
    });
  }
  return undo.add(() => closeSync(fd));
}

/** Counts of one program. */
export interface ProgramCost {
  readonly name: string;
  readonly runs: number;
  readonly nsPerRun: number;
}

/** Counts of a program behind a file descriptor of a process; undefined for other descriptors. */
function countsOf(info: string): { id: number; runs: number; time: number } | undefined {
  const number = (word: string): number => Number(new RegExp(`^${word}:\\s+(\\d+)`, 'm').exec(info)?.[1]);
  // A link names its program too, but has no counts.
  const [id, runs, time] = [number('prog_id'), number('run_cnt'), number('run_time_ns')];
  return Number.isNaN(runs) ? undefined : { id, runs, time };
}

function nameOf(id: number): string {
  const shown = JSON.parse(tryRun('bpftool', ['-j', 'prog', 'show', 'id', String(id)]).stdout || '{}') as {
    name?: string;
  };
  return shown.name ?? `program ${id}`;
}

/** Programs held by a process that have run, the costliest first. */
export function programCosts(pid: number): ProgramCost[] {
  const found = new Map<number, { runs: number; time: number }>();
  for (const fd of readdirSync(`/proc/${pid}/fdinfo`)) {
    const counts = countsOf(readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8'));
    if (counts !== undefined && counts.runs > 0) found.set(counts.id, counts);
  }
  return [...found]
    .map(([id, { runs, time }]) => ({ name: nameOf(id), runs, nsPerRun: time / runs }))
    .sort((a, b) => b.runs * b.nsPerRun - a.runs * a.nsPerRun);
}
