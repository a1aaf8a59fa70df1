/**
 * `node dist/lab/matrix/main.js [--kernel NAME]… [--nic NAME]…`: runs cells of the matrix, all unless some are named. A
 * line per cell as it ends; all of them together are written into docs/kernels.md, a part goes to standard output.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { RxError } from '../../src/base/errors.js';
import { packageRoot } from '../../src/sys/package.js';
import { ensureQemu } from '../fetch.js';
import { takeTurn } from '../lock.js';
import { toStderr } from '../progress.js';
import { CELLS, selectCells } from './cells.js';
import type { CellResult } from './result.js';
import { runCell } from './run-cell.js';
import { matrixText, withMatrix } from './table.js';

const PAGE = join(packageRoot, 'docs/kernels.md');

function line({ kernel, nic, failures, seconds, packets }: CellResult): string {
  const words = failures.length === 0 ? 'ok    ' : 'FAILED';
  const why = failures.length === 0 ? '' : ` (${failures.join('; ')})`;
  return `${words}  ${kernel.padEnd(5)} ${nic.padEnd(16)} ${seconds.toFixed(1).padStart(6)} s  ${packets} packets${why}`;
}

function ownVersion(): string {
  const { version } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as {
    version: string;
  };
  return version;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      kernel: { type: 'string', multiple: true, default: [] },
      nic: { type: 'string', multiple: true, default: [] },
    },
  });
  const cells = selectCells(values.kernel, values.nic);
  const qemu = await ensureQemu(toStderr);
  const results: CellResult[] = [];
  for (const kernel of new Set(cells.map((cell) => cell.kernel))) {
    // A row of guests at a time; whoever else waits for the lab comes in between.
    const turn = await takeTurn(`the matrix, kernel ${kernel}`, toStderr);
    try {
      for (const cell of cells.filter((one) => one.kernel === kernel)) {
        const result = await runCell(cell, toStderr, turn);
        results.push(result);
        toStderr(line(result));
      }
    } finally {
      turn.release();
    }
  }
  const text = matrixText(results, { rxstamp: ownVersion(), qemu: qemu.version });
  if (results.length === CELLS.length) {
    writeFileSync(PAGE, withMatrix(readFileSync(PAGE, 'utf8'), text));
    toStderr(`written: ${PAGE}`);
  } else process.stdout.write(`${text}\n`);
  if (results.some(({ failures }) => failures.length > 0)) process.exitCode = 1;
}

try {
  await main();
} catch (error) {
  process.stderr.write(`${error instanceof RxError ? error.toLine() : String(error)}\n`);
  process.exitCode = error instanceof RxError ? error.exitCode : 1;
}
