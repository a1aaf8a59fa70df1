/** What a trace may leave in the kernel: BPF programs, links and maps that no process holds any more, and mounts. */
import { readFileSync, readdirSync } from 'node:fs';
import { mustRun } from '../../bench/lib/run.js';

const KINDS = ['prog', 'link', 'map'] as const;

/** `prog 17`, `map 4`: every BPF object that the kernel has. */
export function bpfObjects(): Set<string> {
  return new Set(
    KINDS.flatMap((kind) => {
      const list = JSON.parse(mustRun('listing BPF objects', 'bpftool', ['-j', kind, 'show'])) as {
        id: number;
      }[];
      return list.map(({ id }) => `${kind} ${id}`);
    }),
  );
}

/** The ones that a living process has open: another program's, that runs beside the test. */
function heldObjects(): Set<string> {
  const held = new Set<string>();
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      for (const fd of readdirSync(`/proc/${pid}/fdinfo`)) {
        const text = readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8');
        for (const [, kind, id] of text.matchAll(/^(prog|link|map)_id:\s*(\d+)$/gm))
          held.add(`${kind} ${id}`);
      }
    } catch {
      // The process or the descriptor is gone: it holds nothing.
    }
  }
  return held;
}

/**
 * Objects that were not there `before` and that nobody holds. The kernel frees them behind grace periods of RCU, which
 * wait for every CPU: what was really left behind is still there after 15 s.
 */
export async function leftObjects(before: ReadonlySet<string>): Promise<string[]> {
  for (let attempt = 0; ; attempt++) {
    const fresh = [...bpfObjects()].filter((object) => !before.has(object));
    const held = fresh.length === 0 ? new Set<string>() : heldObjects();
    const left = fresh.filter((object) => !held.has(object));
    if (left.length === 0 || attempt === 150) return left;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Mounted file systems, but those of network namespaces, which tests beside this one make. */
export function mounts(): string[] {
  return readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .filter((line) => !/ nsfs |\/netns/.test(line));
}
