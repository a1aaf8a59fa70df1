/** C for tests: compiled once with gcc into a private folder that goes with the process. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Why C cannot be compiled here; undefined when it can. */
export const noCompiler: string | undefined =
  spawnSync('gcc', ['--version']).status === 0 ? undefined : 'needs gcc: apt-get install gcc';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Compiles a C file, given from the repository's root. Returns the path of the program or shared object. */
export function compile(source: string, options: readonly string[] = []): string {
  const folder = mkdtempSync(join(tmpdir(), 'rxstamp-c-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const out = join(folder, 'out');
  const warnings = ['-Wall', '-Wno-unused-function', '-Wno-unused-variable'];
  execFileSync(
    'gcc',
    ['-O2', '-g', ...warnings, '-I', join(root, 'bpf'), ...options, '-o', out, join(root, source)],
    {
      stdio: ['ignore', 'ignore', 'inherit'],
    },
  );
  return out;
}
