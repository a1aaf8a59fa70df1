/** Builds kernel modules against the headers of a kernel of the lab. */
import { copyFileSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { ensureKernel } from './fetch.js';
import { ensureHeaders } from './headers.js';
import { mustRun } from './programs.js';
import { packageRoot } from '../src/sys/package.js';

const say = (text: string): void => void process.stderr.write(`${text}\n`);

/**
 * Builds the module whose sources lie in a folder of this package, in a copy of it. @returns the .ko
 * @throws RxError RXS_LAB, RXS_NEEDS_PROGRAM
 */
export async function buildModule(kernel: string, sources: string, name: string): Promise<string> {
  const { release } = await ensureKernel(kernel, say);
  const tree = await ensureHeaders(kernel, say);
  const folder = join(packageRoot, '.cache', basename(sources), release);
  mkdirSync(folder, { recursive: true });
  for (const file of readdirSync(join(packageRoot, sources)))
    if (/\.[ch]$|^(Kbuild|Makefile)$/.test(file))
      copyFileSync(join(packageRoot, sources, file), join(folder, file));
  // Headers ask for the compiler that the kernel was built with; the machine's own does for a module this small. The
  // option that it may not know has an older twin, which the Makefile takes then.
  const compiler = ['CC=gcc', 'CONFIG_CC_HAS_MIN_FUNCTION_ALIGNMENT='];
  const args = ['-s', '-C', folder, `KDIR=${tree}`, ...compiler];
  await mustRun(`building ${name}.ko for ${release}`, 'make', args);
  const module = join(folder, `${name}.ko`);
  if (!existsSync(module)) throw new Error(`no ${module}`);
  return module;
}
