/** `node dist/lab/fetch-main.js [KERNEL… | all]`: makes the lab ready, for scripts/setup.sh. */
import { RxError } from '../src/base/errors.js';
import { ensureBusybox, ensureKernel, ensureQemu } from './fetch.js';
import { DEFAULT_KERNEL, KERNELS } from './kernels.js';
import { toStderr } from './progress.js';

async function main(names: readonly string[]): Promise<void> {
  const all = KERNELS.map(({ name }) => name);
  const wanted = names.includes('all') ? all : names.length > 0 ? names : [DEFAULT_KERNEL];
  for (const name of wanted) await ensureKernel(name, toStderr);
  await ensureQemu(toStderr);
  await ensureBusybox(toStderr);
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`${error instanceof RxError ? error.toLine() : String(error)}\n`);
  process.exitCode = error instanceof RxError ? error.exitCode : 1;
}
