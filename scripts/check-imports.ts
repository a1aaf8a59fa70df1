/** Allowed imports as data. Data flows kernel event -> record -> packet -> report; no arrow points back. */
import { readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { sourceFiles } from './source-files.js';

/** Room -> rooms it may import. A file's room is the longest key that starts its path. */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  'src/base': [],
  'src/stages.ts': [],
  'src/sys': ['src/base'],
  'src/nic': ['src/base', 'src/sys'],
  'src/feature': ['src/base', 'src/stages.ts', 'src/sys', 'src/nic'],
  'src/filter': ['src/base'],
  'src/record': ['src/base', 'src/stages.ts'],
  'src/method': ['src/base', 'src/stages.ts', 'src/sys', 'src/nic', 'src/feature', 'src/record'],
  'src/chain': ['src/base', 'src/stages.ts', 'src/sys', 'src/nic', 'src/feature', 'src/record', 'src/method'],
  'src/import': ['src/base', 'src/stages.ts', 'src/record', 'src/method'],
  'src/explain': [
    'src/base',
    'src/stages.ts',
    'src/sys',
    'src/nic',
    'src/feature',
    'src/record',
    'src/method',
  ],
  'src/packet': ['src/base', 'src/stages.ts', 'src/record'],
  'src/steer': ['src/base', 'src/sys', 'src/nic', 'src/record', 'src/packet'],
  'src/compare': ['src/base', 'src/stages.ts', 'src/method/names.ts', 'src/record', 'src/packet'],
  'src/report': ['src/base', 'src/stages.ts', 'src/record', 'src/packet'],
  'src/cli': ['src', 'lab'],
  'src/index.ts': ['src'],
  lab: ['src/base', 'src/sys', 'src/stages.ts', 'src/compare'],
  bench: ['src', 'lab'],
  scripts: ['src', 'lab', 'bench'],
  test: ['src', 'lab', 'bench', 'scripts'],
};

/** Modules that touch the machine, and the only rooms that may import them. */
const MACHINE = /^(koffi|node:(fs|fs\/promises|child_process|net|os|dgram|http|worker_threads))$/;
const MACHINE_ROOMS = ['src/sys', 'lab', 'bench', 'scripts', 'test'];

const roomOf = (path: string): string | undefined =>
  Object.keys(ARROWS)
    .filter((room) => path === room || path.startsWith(`${room}/`))
    .sort((a, b) => b.length - a.length)[0];

/** One sentence per forbidden import; empty when the tree follows the rules. */
export function checkImports(root: string): string[] {
  const problems: string[] = [];
  for (const file of sourceFiles(root, /\.ts$/)) {
    const path = relative(root, file);
    const room = roomOf(path);
    if (room === undefined) {
      problems.push(`${path}: no room for it in scripts/check-imports.ts`);
      continue;
    }
    const test = path.endsWith('.test.ts') || path.endsWith('.case.test.ts');
    const text = readFileSync(file, 'utf8');
    for (const match of text.matchAll(/(?:from|import\()\s*'([^']+)'/g)) {
      const target = match[1] ?? '';
      if (MACHINE.test(target) && !test && !MACHINE_ROOMS.includes(room)) {
        problems.push(`${path}: imports ${target}; only ${MACHINE_ROOMS.join(', ')} may touch the machine`);
      }
      if (!target.startsWith('.')) continue;
      const imported = normalize(join(dirname(path), target)).replace(/\.js$/, '.ts');
      const importedRoom = roomOf(imported);
      const allowed = [room, ...(ARROWS[room] ?? [])];
      const fine = allowed.some((place) => imported === place || imported.startsWith(`${place}/`));
      if (!fine && !test)
        problems.push(`${path}: ${room} may not import ${importedRoom ?? imported} (${imported})`);
    }
  }
  return problems;
}
