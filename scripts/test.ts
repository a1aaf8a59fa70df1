/**
 * `npm test`: the checks, then unit, native and lab tests, and one closing line with the sum. Words choose parts:
 * `npm test -- checks unit native lab`.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from '../src/sys/package.js';
import { printChecks, runChecks } from './check.js';

interface Count {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

interface VitestReport {
  readonly success: boolean;
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly testResults: readonly { readonly status: string; readonly assertionResults: readonly unknown[] }[];
}

const CONFIGS = {
  unit: 'vitest.config.ts',
  native: 'vitest.native.config.ts',
  lab: 'vitest.lab.config.ts',
} as const;

type Part = 'checks' | keyof typeof CONFIGS;
const PARTS: readonly Part[] = ['checks', 'unit', 'native', 'lab'];

function vitest(part: keyof typeof CONFIGS): Count {
  const folder = mkdtempSync(join(tmpdir(), 'rxstamp-test-'));
  const file = join(folder, 'report.json');
  try {
    const args = [
      'run',
      '-c',
      CONFIGS[part],
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${file}`,
    ];
    const { status } = spawnSync(join(packageRoot, 'node_modules/.bin/vitest'), args, {
      cwd: packageRoot,
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    const report = JSON.parse(readFileSync(file, 'utf8')) as VitestReport;
    // A file that could not be loaded has no tests of its own, and a hook that failed fails none: count them as one.
    const broken = report.testResults.filter(
      (one) => one.status === 'failed' && one.assertionResults.length === 0,
    );
    const failed = report.numFailedTests + broken.length;
    return {
      passed: report.numPassedTests,
      failed: failed === 0 && status !== 0 ? 1 : failed,
      skipped: report.numPendingTests + report.numTodoTests,
    };
  } catch (error) {
    process.stdout.write(`${part}: the test runner gave no report: ${String(error)}\n`);
    return { passed: 0, failed: 1, skipped: 0 };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function run(part: Part): Count {
  process.stdout.write(`\n== ${part}\n`);
  return part === 'checks' ? printChecks(runChecks()) : vitest(part);
}

const asked = process.argv.slice(2);
const unknown = asked.filter((word) => !(PARTS as readonly string[]).includes(word));
if (unknown.length > 0) {
  process.stderr.write(`npm test: no part "${unknown.join(' ')}"; parts are ${PARTS.join(', ')}\n`);
  process.exitCode = 2;
} else {
  const counts = PARTS.filter((part) => asked.length === 0 || asked.includes(part)).map(run);
  const sum = (key: keyof Count): number => counts.reduce((total, count) => total + count[key], 0);
  process.stdout.write(`\n${sum('passed')} passed, ${sum('failed')} failed, ${sum('skipped')} skipped\n`);
  process.exitCode = sum('failed') === 0 ? 0 : 1;
}
