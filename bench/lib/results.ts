/** Result files: bench/results/<instrument>-<kernel>-<date>.json. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { packageRoot } from '../../src/sys/package.js';

/** Writes a result; returns its path from the project's folder. */
export function writeResult(instrument: string, kernel: string, result: unknown, to?: string): string {
  const folder = join(packageRoot, 'bench/results');
  const day = new Date().toISOString().slice(0, 10);
  const path = to ?? join(folder, `${instrument}-${kernel}-${day}.json`);
  if (to === undefined) mkdirSync(folder, { recursive: true });
  writeFileSync(path, `${JSON.stringify(result, null, 1)}\n`);
  return relative(packageRoot, path);
}
