/** The project's own source files, for every check that walks the tree. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

const SKIP = new Set(['node_modules', 'dist', '.git', '.cache', 'coverage', 'results']);
const ROOMS = ['src', 'lab', 'bench', 'scripts', 'test', 'bpf', 'docs'];

function walk(folder: string, wanted: RegExp, out: string[]): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (SKIP.has(entry.name)) continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) walk(path, wanted, out);
    else if (wanted.test(entry.name)) out.push(path);
  }
}

/** Absolute paths of the files under the project's rooms whose name matches, sorted. */
export function sourceFiles(root: string, wanted: RegExp): string[] {
  const out: string[] = [];
  for (const room of ROOMS) walk(join(root, room), wanted, out);
  return out.sort();
}
