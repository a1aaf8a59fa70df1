import { type Command, Option } from 'commander';

type RawOptions = Record<string, string | boolean | undefined>;

/** What --from takes. */
export const FILE_FORMATS = ['dmesg', 'ftrace', 'trace-cmd', 'perf', 'bpftrace', 'pcap', 'pcapng'] as const;

/** Adds `rxstamp import`. */
export function addImport(root: Command): void {
  root
    .command('import')
    .description('packets or interrupts out of what another tool has recorded')
    .argument('<file>', 'the file; - is standard input')
    .addOption(
      new Option('--from <format>', 'what wrote it (default: found out from its first bytes)').choices(
        FILE_FORMATS,
      ),
    )
    .option('--interrupts', 'one line per interrupt instead of one per packet')
    .option('-c, --count <packets>', 'stop after this many packets, or interrupts')
    .addOption(
      new Option('--clock <clock>', 'clock of the file’s times, where the file does not tell').choices([
        'mono',
        'boot',
        'real',
        'tai',
        'local',
      ]),
    )
    .addOption(
      new Option('--format <format>', 'output on stdout')
        .choices(['text', 'tree', 'times', 'ndjson', 'csv'])
        .default('text'),
    )
    .addHelpText(
      'after',
      `
The same records as a trace gives, as far as the file has them; stages that it does not tell are missing. Times stay in
the file's clock. Lines that are not understood are counted, the first ones named. Exit: 0 done, 2 nothing could be
read, 3 finished, but lines were not understood, or the file says that events are missing.

  dmesg | rxstamp import - --format times            when the interrupts came that a printk has told
  trace-cmd report -t | rxstamp import -             packets, from the irq, napi and net events
  perf script --ns | rxstamp import - --interrupts   interrupts
(With trace-cmd record -C mono, perf record -k mono the times are those of a trace: say --clock mono.)`,
    )
    .action(async (file: string, options: RawOptions) => {
      const { runImport } = await import('./import/run.js');
      process.exitCode = await runImport(file, options);
    });
}
