/** `rxstamp import`, on the host, where it is quick. */
import { spawnSync } from 'node:child_process';
import { expect } from 'vitest';
import { type TraceLines, readTrace } from '../ndjson.js';

/** Imports a file, every line of which must be understood. */
export function imported(path: string, ...args: string[]): TraceLines {
  const words = ['dist/src/cli/main.js', 'import', path, '--format', 'ndjson', ...args];
  const done = spawnSync('node', words, { encoding: 'utf8', maxBuffer: 1 << 28 });
  expect([done.status, done.stderr], path).toEqual([0, expect.stringMatching(/, 0 not understood\n$/)]);
  return readTrace(done.stdout);
}
