/**
 * A process that renames itself in a loop, pinned to one CPU, for a bounded time: `node rename-loop.js CPU MILLISECONDS`.
 * What hangs on __set_task_comm runs all the time then. Prints `ready` when it begins, and at its end how often it did.
 */
import koffi from 'koffi';
import { pinTo } from './affinity.js';

const libc = koffi.load('libc.so.6');
const prctl = libc.func('int prctl(int option, const char *name, long a, long b, long c)');
const PR_SET_NAME = 15;
const TURNS = 200;

const cpu = Number(process.argv[2]);
const milliseconds = Math.min(Number(process.argv[3]), 60_000);
if (!pinTo(cpu)) process.exit(1);
process.stdout.write('ready\n');
const parent = process.ppid;
const end = performance.now() + milliseconds;
let count = 0;
// Whoever wanted it may have been killed.
while (performance.now() < end && process.ppid === parent) {
  for (let i = 0; i < TURNS; i++) prctl(PR_SET_NAME, (i & 1) === 0 ? 'company-a' : 'company-b', 0, 0, 0);
  count += TURNS;
}
process.stdout.write(`${count}\n`);
