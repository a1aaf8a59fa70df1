/** C for tests, compiled with gcc once per content: the result lies in .cache/ until somebody removes it. */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync } from 'node:fs';
import { basename, join } from 'node:path';
import { packageRoot } from '../../src/sys/package.js';

/** Why C cannot be compiled here; undefined when it can. */
export const noCompiler: string | undefined =
  spawnSync('gcc', ['--version']).status === 0 ? undefined : 'needs gcc: apt-get install gcc';

function headers(): string[] {
  return ['bpf', 'bpf/lib'].flatMap((folder) =>
    readdirSync(join(packageRoot, folder))
      .filter((name) => name.endsWith('.h'))
      .map((name) => join(packageRoot, folder, name)),
  );
}

/** Compiles a C file, given from the repository's root. Returns the path of the program or shared object. */
export function compile(source: string, options: readonly string[] = []): string {
  const path = join(packageRoot, source);
  const hash = createHash('sha256').update(options.join(' '));
  for (const file of [path, ...headers()]) hash.update(readFileSync(file));
  const folder = join(packageRoot, '.cache/test-c');
  const out = join(folder, `${basename(source, '.c')}-${hash.digest('hex').slice(0, 16)}`);
  if (existsSync(out)) return out;
  mkdirSync(folder, { recursive: true });
  const part = `${out}.${process.pid}`;
  const warnings = ['-Wall', '-Wno-unused-function', '-Wno-unused-variable'];
  execFileSync(
    'gcc',
    ['-O2', '-g', ...warnings, '-I', join(packageRoot, 'bpf'), ...options, '-o', part, path],
    {
      stdio: ['ignore', 'ignore', 'inherit'],
    },
  );
  renameSync(part, out);
  return out;
}
