/** `rxstamp cleanup`: what runs that were killed have left: in the kernel's tracing files, and of `compare --load`. */
import type { Command } from 'commander';
import type { LoadNamespace } from '../sys/veth-load.js';

interface CleanupFlags {
  readonly dryRun?: true;
}

const asLeftover = ({ name, pid, state }: LoadNamespace) => ({ what: 'network namespace', name, pid, state });

async function cleanup({ dryRun }: CleanupFlags): Promise<void> {
  const { EXIT } = await import('../base/errors.js');
  const { Tracefs } = await import('../sys/tracefs.js');
  const { findOwn, removeLeftovers } = await import('../sys/trace-leftovers.js');
  const { findLoads, removeAbandonedLoads } = await import('../sys/veth-load.js');

  const tracefs = Tracefs.open();
  const loads = findLoads().map(asLeftover);
  const found = [...findOwn(tracefs), ...loads];
  const removed =
    dryRun === true
      ? []
      : [
          ...removeLeftovers(tracefs),
          ...(await removeAbandonedLoads()).map(({ load, why }) => ({
            leftover: asLeftover(load),
            why,
          })),
        ];
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
    .description('remove what runs that were killed have left: trace instances, probes, network namespaces')
    .option('--dry-run', 'only list it')
    .addHelpText(
      'after',
      `
Trace instances and probe events of rxstamp bear its name, the number of the process and when that began. Those whose process
is gone are removed, here and whenever trace or compare begins; so is the network namespace of compare --load, here and when the
next one begins. What belongs to a run that goes on, or to another tool, is never touched.

  rxstamp cleanup --dry-run
  rxstamp cleanup`,
    )
    .action(cleanup);
}
