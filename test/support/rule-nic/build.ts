/** Builds rule-nic.c against the headers of a kernel of the lab, which are fetched into the lab's cache. */
import { existsSync, copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fetchInto, openApt, packageField } from '../../../lab/apt.js';
import { ensureKernel } from '../../../lab/fetch.js';
import { kernelNamed } from '../../../lab/kernels.js';
import { mustRun } from '../../../lab/programs.js';
import { keep } from '../../../lab/store.js';
import { packageRoot } from '../../../src/sys/package.js';

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
  const text = readFileSync(makefile, 'utf8').replace(/^include \/usr\/src\//, `include ${folder}/usr/src/`);
  writeFileSync(makefile, text);
  // Only for type information of the module, which needs one more program.
  rmSync(join(tree, 'vmlinux'), { force: true });
  return tree;
}

/** The module for a kernel of the lab. @throws RxError RXS_LAB, RXS_NEEDS_PROGRAM */
export async function buildRuleNic(kernel: string): Promise<string> {
  const { release } = await ensureKernel(kernel, say);
  const tree = await headers(kernel, release);
  const folder = join(packageRoot, '.cache/rule-nic', release);
  const module = join(folder, 'rule-nic.ko');
  mkdirSync(folder, { recursive: true });
  copyFileSync(join(packageRoot, 'test/support/rule-nic/rule-nic.c'), join(folder, 'rule-nic.c'));
  writeFileSync(join(folder, 'Kbuild'), 'obj-m := rule-nic.o\n');
  await mustRun('building the test NIC', 'make', ['-s', '-C', tree, `M=${folder}`, 'modules']);
  if (!existsSync(module)) throw new Error(`no ${module}`);
  return module;
}
