/** Compiles the load generators. */
import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../src/sys/package.js';
import { mustRun } from './run.js';

const time = (path: string): number => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;

/** Compiles bench/load/NAME.c when it is newer than its program; returns the program's path. */
export function compileLoad(name: string): string {
  const source = join(packageRoot, 'bench/load', `${name}.c`);
  const folder = join(packageRoot, 'dist/bench/load');
  const program = join(folder, name);
  mkdirSync(folder, { recursive: true });
  if (time(program) < time(source)) {
    mustRun(`compiling bench/load/${name}.c`, 'gcc', ['-O2', '-Wall', '-Wextra', '-o', program, source]);
  }
  return program;
}
