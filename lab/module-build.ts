/** Builds kernel modules against the headers of a kernel of the lab, which are fetched into the lab's cache. */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { fetchInto, openApt, packageField } from './apt.js';
import { ensureKernel } from './fetch.js';
import { kernelNamed } from './kernels.js';
import { mustRun, run } from './programs.js';
import { keep } from './store.js';
import { packageRoot } from '../src/sys/package.js';

const say = (text: string): void => void process.stderr.write(`${text}\n`);

/** Headers, their common part and the build scripts, unpacked; returns the folder to build against. */
async function headers(kernel: string, release: string): Promise<string> {
  const { folder } = await keep(
    join('headers', release),
    async (into) => {
      const apt = await openApt(kernelNamed(kernel).suites, say);
      const name = `linux-headers-${release}`;
      const depends = await packageField(apt, name, 'Depends');
      const parts = depends.match(/linux-(?:headers-[^ ,]+-common|kbuild-[^ ,]+)/g) ?? [];
      await fetchInto(apt, [name, ...parts], into, say);
      return { release };
    },
    say,
  );
  const tree = join(folder, `usr/src/linux-headers-${release}`);
  // They are meant to lie under /usr/src.
  const makefile = join(tree, 'Makefile');
  const text = readFileSync(makefile, 'utf8').replace(
    /(?<=^(?:include |KBUILD_OUTPUT=))\/usr\/src\//gm,
    `${folder}/usr/src/`,
  );
  writeFileSync(makefile, text);
  // Only for type information of the module, which needs one more program.
  rmSync(join(tree, 'vmlinux'), { force: true });
  for (const program of ['tools/objtool/objtool.real-x86', 'scripts/mod/modpost.real-lsb-64'])
    await makeRun(join(tree, program));
  return tree;
}

/** A program of a newer Debian than this machine's runs with that one's C library. */
async function makeRun(program: string): Promise<void> {
  if (!existsSync(program) || !(await run(program, [])).stderr.includes('GLIBC_')) return;
  const { folder } = await keep(
    'libc/trixie',
    async (into) => {
      await fetchInto(await openApt(['trixie'], say), ['libc6'], into, say);
      return {};
    },
    say,
  );
  const libraries = join(folder, 'usr/lib/x86_64-linux-gnu');
  renameSync(program, `${program}.own`);
  const loader = `${libraries}/ld-linux-x86-64.so.2 --library-path ${libraries}`;
  writeFileSync(program, `#!/bin/sh\nexec ${loader} ${program}.own "$@"\n`, { mode: 0o755 });
}

/**
 * Builds the module whose sources lie in a folder of this package, in a copy of it. @returns the .ko
 * @throws RxError RXS_LAB, RXS_NEEDS_PROGRAM
 */
export async function buildModule(kernel: string, sources: string, name: string): Promise<string> {
  const { release } = await ensureKernel(kernel, say);
  const tree = await headers(kernel, release);
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
