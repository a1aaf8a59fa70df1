/** What a guest's console says of its end. */

/** Where a kernel begins to tell of its trouble; the first such line names it, what follows is registers and stacks. */
const TROUBLE =
  /\b(?:BUG|WARNING|INFO|Oops|PANIC|Kernel panic|watchdog|unable to handle|general protection|double fault|int3|stalls? (?:on|detected)|starved)\b/;
/** Room for two CPUs' registers and stacks, and for the end: a panic is named there. */
const FIRST_LINES = 60;
const LAST_LINES = 19;

/**
 * The last line, when nothing but that is to be told; else all from the first line about trouble in the kernel, but for the
 * middle of what is longer than 80 lines. Empty for a console on which there is nothing. Takes the text of the console.
 */
export function lastWords(console: string): string {
  const lines = console
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const first = lines.findIndex((line) => TROUBLE.test(line));
  if (first === -1) return (lines.at(-1) ?? '').slice(0, 200);
  const story = lines.slice(first);
  const left = story.length - FIRST_LINES - LAST_LINES;
  if (left > 1) story.splice(FIRST_LINES, left, `(${left} more lines)`);
  return story.join('\n  ');
}
