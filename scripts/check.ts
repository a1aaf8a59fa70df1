/** Every check that needs no kernel: types, lint, format, import rules, generated files, docs. */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../src/sys/package.js';
import { checkDocs } from './check-docs.js';
import { checkImports } from './check-imports.js';
import { layoutIsCurrent } from './gen-layout.js';

/** What a check found: no problems, problems, or why it could not run. */
export interface CheckResult {
  readonly name: string;
  readonly problems: readonly string[];
  readonly skipped?: string;
}

function program(name: string, command: string, args: readonly string[]): CheckResult {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd: packageRoot, encoding: 'utf8' });
  if (error !== undefined) return { name, problems: [], skipped: `${command} is not installed` };
  return { name, problems: status === 0 ? [] : [`${stdout}${stderr}`.trim()] };
}

const bin = (name: string): string => join(packageRoot, 'node_modules/.bin', name);

function clangFormat(): CheckResult {
  const files = ['bpf', 'bpf/lib', 'bench/load', 'test/native', 'examples/printk-module'].flatMap(
    (folder) => {
      try {
        return readdirSync(join(packageRoot, folder))
          .filter((file) => /\.[ch]$/.test(file))
          .map((file) => join(folder, file));
      } catch {
        return [];
      }
    },
  );
  return program('C is formatted', 'clang-format-14', ['--dry-run', '--Werror', ...files]);
}

/** Runs all checks, quick ones last. */
export function runChecks(): CheckResult[] {
  return [
    program('types', bin('tsc'), ['--noEmit', '-p', '.']),
    program('lint', bin('oxlint'), ['--type-aware', '--deny-warnings', '.']),
    program('TypeScript is formatted', bin('biome'), ['format', '.']),
    clangFormat(),
    { name: 'imports follow the rooms', problems: checkImports(packageRoot) },
    {
      name: 'the generated layout is current',
      problems: layoutIsCurrent()
        ? []
        : ['src/method/ebpf/layout.gen.ts is not what bpf/rxstamp.h says: npm run gen'],
    },
    { name: 'docs match the code', problems: checkDocs(packageRoot) },
  ];
}

/** Prints the results; returns how many passed, failed and were skipped. */
export function printChecks(results: readonly CheckResult[]): {
  passed: number;
  failed: number;
  skipped: number;
} {
  let failed = 0;
  let skipped = 0;
  for (const { name, problems, skipped: why } of results) {
    const mark = why !== undefined ? `skip (${why})` : problems.length === 0 ? 'ok' : 'FAILED';
    process.stdout.write(`check: ${name}: ${mark}\n`);
    for (const problem of problems) process.stdout.write(`${problem}\n`);
    if (why !== undefined) skipped++;
    else if (problems.length > 0) failed++;
  }
  return { passed: results.length - failed - skipped, failed, skipped };
}

if (process.argv[1]?.endsWith('check.js')) {
  const { failed } = printChecks(runChecks());
  process.exitCode = failed === 0 ? 0 : 1;
}
