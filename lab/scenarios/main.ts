/** `node dist/lab/scenarios/main.js [KERNEL…] [--only TEXT]`: runs scenarios and prints a line for each. */
import { parseArgs } from 'node:util';
import { RxError } from '../../src/base/errors.js';
import { DEFAULT_KERNEL, kernelNamed } from '../kernels.js';
import { toStderr } from '../progress.js';
import { SCENARIOS } from './all.js';
import { type Result, runScenarios } from './runner.js';

function line({ kernel, scenario, verdict, reason, seconds }: Result): string {
  const why = reason === undefined ? '' : ` (${reason})`;
  return `${verdict}  ${kernel.padEnd(5)} ${seconds.toFixed(1).padStart(6)} s  ${scenario}${why}\n`;
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { only: { type: 'string', default: '' } },
  });
  const kernels = positionals.length > 0 ? positionals : [DEFAULT_KERNEL];
  for (const kernel of kernels) kernelNamed(kernel);
  const wanted = SCENARIOS.filter((one) => one.name.includes(values.only));
  const results: Result[] = [];
  for (const kernel of kernels) {
    results.push(
      ...(await runScenarios(kernel, wanted, (result) => void process.stdout.write(line(result)), toStderr)),
    );
  }
  const count = (verdict: Result['verdict']): number =>
    results.filter((result) => result.verdict === verdict).length;
  process.stdout.write(`${count('pass')} passed, ${count('fail')} failed\n`);
  // Nothing run is no success.
  if (count('fail') > 0 || count('pass') === 0) process.exitCode = 1;
}

try {
  await main();
} catch (error) {
  process.stderr.write(`${error instanceof RxError ? error.toLine() : String(error)}\n`);
  process.exitCode = error instanceof RxError ? error.exitCode : 1;
}
