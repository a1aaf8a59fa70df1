/** C for tests, compiled with gcc (clang for BPF) once per content: the result lies in .cache/ until somebody removes it. */
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

const WARNINGS = ['-Wall', '-Wno-unused-function', '-Wno-unused-variable'];

/** Compiles a C file, given from the repository's root. Returns the path of the program or shared object. */
export function compile(source: string, options: readonly string[] = []): string {
  return compileWith('gcc', source, ['-O2', '-g', ...WARNINGS, ...options]);
}

/** Compiles a BPF object the way bpf/build.sh does. Returns its path. */
export function compileBpf(source: string): string {
  const clang = ['clang-14', 'clang', 'clang-15', 'clang-16', 'clang-17', 'clang-18', 'clang-19'].find(
    (name) => spawnSync(name, ['--version']).status === 0,
  );
  if (clang === undefined) throw new Error('no clang: sh scripts/setup.sh');
  const target = ['-target', 'bpf', '-D__TARGET_ARCH_x86', '-mcpu=v3', '-c'];
  return compileWith(clang, source, ['-O2', '-g', ...target, ...WARNINGS]);
}

function compileWith(compiler: string, source: string, options: readonly string[]): string {
  const path = join(packageRoot, source);
  const hash = createHash('sha256').update(options.join(' '));
  for (const file of [path, ...headers()]) hash.update(readFileSync(file));
  const folder = join(packageRoot, '.cache/test-c');
  const out = join(folder, `${basename(source, '.c')}-${hash.digest('hex').slice(0, 16)}`);
  if (existsSync(out)) return out;
  mkdirSync(folder, { recursive: true });
  const part = `${out}.${process.pid}`;
  execFileSync(compiler, ['-I', join(packageRoot, 'bpf'), ...options, '-o', part, path], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  renameSync(part, out);
  return out;
}
