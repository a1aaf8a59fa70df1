/** Headers of the lab's kernels, unpacked in the cache, for building modules. */
import { copyFileSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fetchInto, openApt, packageField } from './apt.js';
import { ensureKernel } from './fetch.js';
import { kernelNamed } from './kernels.js';
import type { Say } from './progress.js';
import { run } from './programs.js';
import { keep } from './store.js';

/**
 * The headers of a kernel of the lab, their common part and the build scripts, fetched when missing.
 * @returns the folder to build against
 * @throws RxError RXS_LAB also where the archive has a newer kernel and no longer these headers
 */
export async function ensureHeaders(kernel: string, say: Say): Promise<string> {
  const { release } = await ensureKernel(kernel, say);
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
  putAt(makefile, text, 0o644);
  // Only for type information of the module, which needs one more program.
  rmSync(join(tree, 'vmlinux'), { force: true });
  for (const program of ['tools/objtool/objtool.real-x86', 'scripts/mod/modpost.real-lsb-64'])
    await makeRun(join(tree, program), say);
  return tree;
}

/** A program of a newer Debian than this machine's runs with that one's C library. */
async function makeRun(program: string, say: Say): Promise<void> {
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
  // A copy before the wrapper takes its place: whenever this is ended, the next one finds the program or the wrapper.
  if (!isElf(program)) return;
  copyFileSync(program, `${program}.${process.pid}`);
  renameSync(`${program}.${process.pid}`, `${program}.own`);
  const loader = `${libraries}/ld-linux-x86-64.so.2 --library-path ${libraries}`;
  putAt(program, `#!/bin/sh\nexec ${loader} ${program}.own "$@"\n`, 0o755);
}

/** False for the wrapper that another run has put there meanwhile. */
const isElf = (file: string): boolean => readFileSync(file).subarray(0, 4).toString('latin1') === '\x7fELF';

/** Writes a file in one step: another run may be reading it. */
function putAt(file: string, text: string, mode: number): void {
  writeFileSync(`${file}.${process.pid}`, text, { mode });
  renameSync(`${file}.${process.pid}`, file);
}
