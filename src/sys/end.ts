/**
 * The end of the process. Node waits for V8's compiler threads before it ends, and those may wait for a garbage
 * collection by the thread that waits for them (nodejs/node#54918): a busy trace then hangs after its last line, about
 * once in 50 runs with Node 20. What has written everything leaves by _exit instead.
 */

let leave: ((code: number) => void) | undefined;

/** From here on {@link endProcess} ends the process with `exit`, which skips Node's own clearing up. */
export function endBy(exit: (code: number) => void): void {
  // A profiler or a coverage report is written while clearing up.
  if (process.execArgv.length === 0 && process.env['NODE_V8_COVERAGE'] === undefined) leave = exit;
}

/** Ends the process now if {@link endBy} was called; all output must have been written. Else Node ends by itself. */
export function endProcess(): void {
  leave?.(Number(process.exitCode ?? 0));
}
