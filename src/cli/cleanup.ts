/** `rxstamp cleanup`: what runs that were killed have left in the kernel's tracing files. */
import type { Command } from 'commander';

interface CleanupFlags {
  readonly dryRun?: true;
}

async function cleanup({ dryRun }: CleanupFlags): Promise<void> {
  const { EXIT } = await import('../base/errors.js');
  const { Tracefs } = await import('../sys/tracefs.js');
  const { findOwn, removeLeftovers } = await import('../sys/trace-leftovers.js');

  const tracefs = Tracefs.open();
  const found = findOwn(tracefs);
  const removed = dryRun === true ? [] : removeLeftovers(tracefs);
  for (const { what, name, pid, state } of found) {
    if (state !== 'gone') {
      const why = state === 'lives' ? `of process ${pid}, which is running` : 'of another container';
      process.stdout.write(`left      ${what} ${name}: ${why}\n`);
    } else if (dryRun === true) {
      process.stdout.write(`would go  ${what} ${name}: process ${pid} is gone\n`);
    }
  }
  for (const { leftover, why } of removed) {
    const { what, name, pid } = leftover;
    const text =
      why === undefined
        ? `removed   ${what} ${name}: process ${pid} is gone`
        : `STAYS     ${what} ${name}: ${why}`;
    process.stdout.write(`${text}\n`);
  }
  if (found.length === 0) process.stdout.write('nothing was left behind\n');
  if (removed.some(({ why }) => why !== undefined)) process.exitCode = EXIT.failure;
}

/** Adds `rxstamp cleanup` to the command tree. */
export function addCleanup(root: Command): void {
  root
    .command('cleanup')
    .description('remove what runs that were killed have left in the kernel’s tracing files')
    .option('--dry-run', 'only list it')
    .addHelpText(
      'after',
      `
Trace instances and probe events of rxstamp bear its name, the number of the process and when that began. Those whose process
is gone are removed, here and whenever a method begins that makes some (kprobe, fprobe, ftrace, function). What belongs to a
run that goes on, or to another tool, is never touched.

  rxstamp cleanup --dry-run
  rxstamp cleanup`,
    )
    .action(cleanup);
}
