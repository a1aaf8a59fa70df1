/**
 * `node dist/lab/methods/main.js [--kernel NAME]…`: runs `rxstamp compare` in guests and writes what it found into
 * docs/methods.md; with only some of the kernels, what the page says of the others stays.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { RxError } from '../../src/base/errors.js';
import type { CompareReport } from '../../src/compare/report.js';
import { packageRoot, version } from '../../src/sys/package.js';
import { takeTurn } from '../lock.js';
import { toStderr } from '../progress.js';
import { withGuest } from '../with-guest.js';
import { buildPrintk, compareUnderLoad, loadPrintk } from './run.js';
import { type KernelReport, METHOD_KERNELS, kernelParts, methodsText, withMethods } from './table.js';

const PAGE = join(packageRoot, 'docs/methods.md');
const WORDS = ['--count', '2000', '--duration', '15s', '--rounds', '3', '--slice', '500ms'];

async function compareOn(kernel: string): Promise<CompareReport> {
  const module = await buildPrintk(kernel);
  const turn = await takeTurn(`the methods, kernel ${kernel}`, toStderr);
  try {
    return await withGuest({ kernel, nic: 'igb,queues=2', cpus: 2, say: toStderr, turn }, async (guest) => {
      await loadPrintk(guest, module);
      return compareUnderLoad(guest, WORDS);
    });
  } finally {
    turn.release();
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { kernel: { type: 'string', multiple: true, default: [] } } });
  const kernels = values.kernel.length === 0 ? METHOD_KERNELS : values.kernel;
  const reports: KernelReport[] = [];
  for (const kernel of kernels) reports.push({ kernel, report: await compareOn(kernel) });
  const page = readFileSync(PAGE, 'utf8');
  writeFileSync(PAGE, withMethods(page, methodsText(reports, version(), kernelParts(page))));
  toStderr(`written: ${PAGE}`);
}

try {
  await main();
} catch (error) {
  process.stderr.write(`${error instanceof RxError ? error.toLine() : String(error)}\n`);
  process.exitCode = error instanceof RxError ? error.exitCode : 1;
}
