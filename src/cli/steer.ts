/** `rxstamp steer`: send a flow to a receive queue, and tell to which one a flow goes. */
import { type Command, Option } from 'commander';
import type { RawSteer } from './steer/options.js';

/** What stands behind `--` on the command line: commander adds it to the other arguments. */
function behindDashes(argv: readonly string[]): readonly string[] {
  const at = argv.indexOf('--');
  return at < 0 ? [] : argv.slice(at + 1);
}

async function steer(iface: string, words: readonly string[], raw: RawSteer): Promise<void> {
  const { readSteerOptions } = await import('./steer/options.js');
  const { runSteer } = await import('./steer/run.js');
  const command = behindDashes(process.argv);
  const flow = words.slice(0, words.length - command.length);
  process.exitCode = await runSteer(iface, readSteerOptions(flow, command, raw));
}

/** Adds `rxstamp steer`. */
export function addSteer(root: Command): void {
  root
    .command('steer')
    .description('send a flow to a receive queue and count whether it comes there; changes the NIC')
    .argument('<interface>', 'interface')
    .argument(
      '[flow...]',
      "what to steer, as in tcpdump: 'udp dst port 9999'; then -- COMMAND with --for-this-run",
    )
    .option('--queue <number>', 'receive queue to send it to')
    .addOption(
      new Option('--by <way>', 'rule: n-tuple rule; slot: one entry of the RSS table; table: all entries')
        .choices(['auto', 'rule', 'slot', 'table'])
        .default('auto'),
    )
    .option(
      '--verify <time>',
      'count for so long on which queues packets of the flow come; 0: do not (default: 3s)',
    )
    .option('--for-this-run', 'undo it at Ctrl-C, after --duration, or when COMMAND ends')
    .option('--duration <time>', 'with --for-this-run: how long')
    .option('--dry-run', 'print what would change, change nothing')
    .option('--undo', 'take the newest steering back, to the byte')
    .option('--all', 'with --undo: all of them')
    .option('--show', 'print rules, RSS table, hash key and fields')
    .option('--which <flow>', "to which queue this flow goes: 'udp 10.0.0.2:1000 > 10.0.0.1:9999'")
    .addHelpText(
      'after',
      `
Tries, the narrowest first: an n-tuple rule; one entry of the RSS table (an exact flow, where the hash can be
computed); the whole RSS table, and then ALL flows move. What a driver accepts is not believed: packets are counted.
Changes are printed first, kept under /run/rxstamp/steer until undone, and undone by themselves when they do not work.
Needs CAP_NET_ADMIN; counting needs what trace needs.
Exit: 0 verified, 1 refused, or counted to be ineffective and undone, 2 usage, 4 done but not verified: nothing came.

  rxstamp steer eth0 'udp dst port 9999' --queue 1
  rxstamp steer eth0 'tcp dst port 80' --queue 0 --for-this-run -- rxstamp trace eth0 --queue 0 -c 100
  rxstamp steer eth0 --undo
  rxstamp steer eth0 --which 'udp 10.0.0.2:1000 > 10.0.0.1:9999'`,
    )
    .action(steer);
}
