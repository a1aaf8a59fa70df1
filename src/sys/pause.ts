/** Waiting without giving other JavaScript a turn: only for moments. */

/** Sleeps. */
export function pause(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}
