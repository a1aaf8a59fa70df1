/** Progress for people: lines on stderr, so that data on stdout stays clean. */

/** Says one line of progress. */
export type Say = (line: string) => void;

/** Prints a line on stderr. */
export const toStderr: Say = (line) => void process.stderr.write(`${line}\n`);

/** Says nothing. */
export const quiet: Say = () => undefined;

/** Bytes as people read them: `15.7 MB`. */
export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

/** Seconds since `from` (milliseconds of performance.now()): `4.2 s`. */
export function since(from: number): string {
  return `${((performance.now() - from) / 1000).toFixed(1)} s`;
}
