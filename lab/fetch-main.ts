/** `node dist/lab/fetch-main.js [KERNEL… | all] [headers]`: makes the lab ready, for scripts/setup.sh. */
import { RxError } from '../src/base/errors.js';
import { ensureBusybox, ensureKernel, ensureQemu } from './fetch.js';
import { ensureHeaders } from './headers.js';
import { DEFAULT_KERNEL, KERNELS } from './kernels.js';
import { toStderr } from './progress.js';

async function main(words: readonly string[]): Promise<void> {
  const names = words.filter((word) => word !== 'headers');
  const all = KERNELS.map(({ name }) => name);
  const wanted = names.includes('all') ? all : names.length > 0 ? names : [DEFAULT_KERNEL];
  for (const name of wanted) await ensureKernel(name, toStderr);
  // What a module of the tests is built against; the archive drops them with its next kernel.
  if (words.includes('headers')) await ensureHeaders(DEFAULT_KERNEL, toStderr);
  await ensureQemu(toStderr);
  await ensureBusybox(toStderr);
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`${error instanceof RxError ? error.toLine() : String(error)}\n`);
  process.exitCode = error instanceof RxError ? error.exitCode : 1;
}
