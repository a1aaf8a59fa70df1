/** What a guest's console says of its end. */

/** Where a kernel begins to tell of its trouble; the first such line names it, what follows is registers and stacks. */
const TROUBLE =
  /\b(?:BUG|WARNING|INFO|Oops|PANIC|Kernel panic|watchdog|unable to handle|general protection|double fault|int3|stalls? (?:on|detected)|starved)\b/;
/** Two CPUs' registers and stacks. */
const MOST_LINES = 80;

/**
 * The last line, when nothing but that is to be told; else all from the first line about trouble in the kernel, up to
 * 80 lines. Empty for a console on which there is nothing. Takes the text of the console.
 */
export function lastWords(console: string): string {
  const lines = console
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const first = lines.findIndex((line) => TROUBLE.test(line));
  if (first === -1) return (lines.at(-1) ?? '').slice(0, 200);
  return lines.slice(first, first + MOST_LINES).join('\n  ');
}
