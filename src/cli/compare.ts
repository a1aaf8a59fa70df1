import type { Command } from 'commander';

/** Adds `rxstamp compare`. */
export function addCompare(root: Command): void {
  root
    .command('compare')
    .description(
      'run every method that works here on the same interrupts: how early, how costly, what is lost',
    )
    .argument('[interface]', 'interface; without it the one with the default route')
    .option('--irq <list>', 'these interrupts: 25 or 25,26')
    .option('--queue <number>', 'the interrupts of this receive queue')
    .option('--methods <list>', 'only these: ebpf,ftrace,perf')
    .option('-c, --count <interrupts>', 'how many interrupts to match', '2000')
    .option('--duration <time>', 'wait no longer than this for them', '20s')
    .option('--rounds <number>', 'how often the cost of each method is measured; 0: not at all', '5')
    .option('--slice <time>', 'how long each measurement of cost lasts', '1s')
    .option(
      '--load',
      'make the traffic: a pair of veth interfaces of its own, between two network namespaces, and UDP over it',
    )
    .option('--no-company', 'leave out the run beside a slow kprobe program of another tool')
    .option('--json', 'one JSON document')
    .addHelpText(
      'after',
      `
The traffic is what comes in anyway; without any there is nothing to compare. In a guest of the lab:

  rxstamp lab --inject udp,flows=8,count=100000,gap=1ms -- rxstamp compare eth0

"later" is how much later a method's stamp is than the earliest one of all, on the same interrupts, while all of them run;
"cost" is the CPU time of the whole machine per interrupt, with the method's reader, against none, one method at a time.`,
    )
    .action(async (first: string | undefined, flags: Record<string, string | boolean | undefined>) => {
      const { runCompare } = await import('./compare/run.js');
      process.exitCode = await runCompare(first, flags);
    });
}
