/** What methods put into the kernel, as lists of words: to be compared before and after. */
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import koffi from 'koffi';
import { findTracefs } from '../../../../src/sys/tracefs.js';

const libbpf = koffi.load('libbpf.so.1');
const KINDS = ['prog', 'map', 'link'] as const;
const nextId = new Map(
  KINDS.map((kind) => [
    kind,
    libbpf.func(`int bpf_${kind}_get_next_id(uint32_t start, _Out_ uint32_t *next)`),
  ]),
);

function bpfObjects(): string[] {
  return KINDS.flatMap((kind) => {
    const found: string[] = [];
    const next = [0];
    while (nextId.get(kind)?.(next[0], next) === 0) found.push(`bpf ${kind} ${next[0]}`);
    return found;
  });
}

function lines(file: string): string[] {
  try {
    return readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line !== '');
  } catch {
    return [];
  }
}

function names(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** Files that are shared by everybody who traces, and what hangs on functions by whatever way. */
function tracing(): string[] {
  const root = findTracefs() ?? '';
  const shared = [
    'trace_clock',
    'current_tracer',
    'tracing_on',
    'set_event',
    'kprobe_events',
    'dynamic_events',
  ];
  return [
    ...names(`${root}/instances`).map((name) => `instance ${name}`),
    ...shared.flatMap((file) => lines(`${root}/${file}`).map((line) => `${file}: ${line}`)),
    // Names only: how often a function is hooked, and by whom, stands behind them.
    ...lines(`${root}/enabled_functions`).map((line) => `hooked function ${line.split(' ')[0]}`),
    ...lines('/sys/kernel/debug/kprobes/list').map(
      (line) => `kprobe ${line.split(/\s+/).slice(1).join(' ')}`,
    ),
  ];
}

/** Descriptors of this process that methods open: how many of each kind. */
function descriptors(): string[] {
  const counts = new Map<string, number>();
  for (const fd of names('/proc/self/fd')) {
    let target = '';
    try {
      target = readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      continue; // the one that lists the folder
    }
    if (!/bpf|btf|perf_event|socket:|\/tracing\/|kmsg/.test(target)) continue;
    const kind = target.replace(/\d+/g, 'N');
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return [...counts].flatMap(([kind, count]) => Array.from({ length: count }, (_, i) => `open ${kind} ${i}`));
}

/** Everything, now. */
export function kernelObjects(): ReadonlySet<string> {
  return new Set([
    ...bpfObjects(),
    ...tracing(),
    ...descriptors(),
    ...lines('/proc/net/packet')
      .slice(1)
      .map((line) => `packet socket ${line.trim().split(/\s+/).at(-1)}`),
    ...names('/run/netns').map((name) => `network namespace ${name}`),
    ...lines('/proc/self/maps')
      .filter((line) => /perf_event|bpf/.test(line))
      .map((line) => `mapped ${line.split(' ')[0]}`),
  ]);
}

/** How long the kernel may take to free what nobody holds any more: several grace periods, on vCPUs that are held back. */
const PATIENCE_MS = 10_000;

/** What is there and was not `before`: asked again until nothing is, for a while. */
export async function leftBehind(before: ReadonlySet<string>): Promise<string[]> {
  for (let waited = 0; ; waited += 50) {
    const left = [...kernelObjects()].filter((one) => !before.has(one));
    if (left.length === 0 || waited >= PATIENCE_MS) return left;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
