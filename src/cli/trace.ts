import { type Command, Option } from 'commander';
import { DEFAULT_METHOD, METHOD_NAMES } from '../method/names.js';
import { HOOKED_STAGES } from '../stages.js';

type RawOptions = Record<string, string | boolean | undefined>;

/** What `trace` takes, on a command: also what can be asked about a trace takes it. */
export function traceArguments(command: Command): Command {
  return command
    .argument('[interface]', 'if there is one of that name; else the one with the default route')
    .argument(
      '[filter...]',
      'packets to show, an expression as in tcpdump: udp port 53 (filtered in the kernel)',
    )
    .option('-i, --interface <name>', 'interface; all words are then the filter expression')
    .option('-F, --filter-file <file>', 'read the filter expression from a file')
    .option(
      '--irq <list>',
      'only packets that these interrupts brought: 25 or 25,26 (filtered in the kernel)',
    )
    .option('--queue <number>', 'only packets of this receive queue (filtered in the kernel)')
    .option('--cpu <list>', 'only packets that these CPUs polled: 0 or 0,2-3 (filtered in the kernel)')
    .option(
      '--slower-than <time>',
      'only packets that took longer: 50us (arrival to last stamp), isr..driver=50us (between two stages; up to driver filtered in the kernel)',
    )
    .option('--pid <list>', 'only packets that these processes read (sets --until read)')
    .option('--wait <time>', 'how long a packet is held for its reader (default: 1s)')
    .option('-c, --count <packets>', 'stop after this many packets, of those that are shown')
    .option('--duration <time>', 'stop after this time: 500ms, 10s, 5m')
    .addOption(
      new Option(
        '--until <stage>',
        'latest stage to stamp; each one costs (default: driver, or what the filters need)',
      ).choices(HOOKED_STAGES.map((stage) => stage.name)),
    )
    .addOption(
      new Option('--clock <clock>', 'clock of the printed times')
        .choices(['mono', 'boot', 'real', 'tai'])
        .default('mono'),
    )
    .addOption(
      new Option('--format <format>', 'output on stdout')
        .choices(['text', 'tree', 'times', 'ndjson', 'csv'])
        .default('text'),
    )
    .option('--interrupts', 'one line per interrupt instead of one per packet')
    .addOption(
      new Option('--method <method>', 'way of listening; rxstamp compare says what each is worth')
        .choices(METHOD_NAMES)
        .default(DEFAULT_METHOD),
    )
    .option(
      '--hw-timestamps',
      'turn on the NIC’s own receive timestamps for the time of the trace (changes the NIC)',
    )
    .option(
      '--buffer <size>',
      'ring buffer per CPU, 64KiB to 1GiB (default: 16MiB, less on more than 16 CPUs)',
    );
}

/** Adds `rxstamp trace`. */
export function addTrace(root: Command): void {
  traceArguments(root.command('trace'))
    .description('print when each received packet arrived, live')
    .addHelpText(
      'after',
      `
Times are stamped by the kernel at the earliest hook it allows; the first lines say which, and why none earlier.
Data goes to stdout, everything else to stderr. Exit: 0 done, 1 failure, 2 usage, 3 finished, but events were lost.

  rxstamp trace eth0                       every packet of eth0, its interrupt and its stages
  rxstamp trace --irq 25 --format times    t1, t2, t3, t4… of the packets that IRQ 25 brought
  rxstamp trace eth0 udp port 53           what a pcap-filter(7) expression lets through, filtered in the kernel
  rxstamp trace eth0 --until stack -c 100  100 packets, up to the protocol stack
  rxstamp trace eth0 --slower-than isr..driver=50us
                                           packets that were late at the driver
  rxstamp trace eth0 --pid 812             packets that process 812 reads, each with its way to the reader`,
    )
    .action(async (first: string | undefined, rest: readonly string[], options: RawOptions) => {
      const { runTrace } = await import('./trace/run.js');
      process.exitCode = await runTrace(first === undefined ? [] : [first, ...rest], options);
    });
}
