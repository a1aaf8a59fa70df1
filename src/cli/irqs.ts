/** `rxstamp irqs`: which interrupts an interface has, what they serve and where they go. */
import type { Command } from 'commander';
import type { Nic, NicIrq } from '../nic/nic.js';

interface IrqsFlags {
  readonly irq?: string;
  readonly interval: string;
  readonly json?: true;
}

/** The interface of an interrupt, with this interrupt alone. */
function onlyIrq({ nic, irq }: { readonly nic: Nic; readonly irq: NicIrq }): Nic {
  return { ...nic, irqs: [irq] };
}

async function irqs(iface: string | undefined, flags: IrqsFlags): Promise<void> {
  const { listNics, nicOfIrq, resolveNic } = await import('../nic/resolve.js');
  const { irqRates, openLooker, reportIrqs } = await import('../nic/irq-report.js');
  const { parseDuration, parseNumberList } = await import('../base/units.js');

  const wanted = flags.irq === undefined ? undefined : parseNumberList(flags.irq, '--irq');
  const nics =
    wanted === undefined
      ? iface === undefined
        ? listNics()
        : [resolveNic(iface)]
      : wanted.map((number) => onlyIrq(nicOfIrq(number)));
  const nanoseconds = /^0+$/.test(flags.interval) ? 0 : parseDuration(flags.interval, '--interval');
  const counting = nanoseconds > 0 && nics.some((nic) => nic.irqs.length > 0);
  const started = performance.now();
  if (counting) await new Promise((resume) => setTimeout(resume, nanoseconds / 1e6));
  const seconds = (performance.now() - started) / 1e3;
  const rates = counting ? irqRates(nics, seconds) : new Map<number, number>();
  const looked = await openLooker();
  try {
    const document = reportIrqs(nics, looked, rates, counting ? seconds : null);
    if (flags.json) {
      process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
      return;
    }
    const { irqsText } = await import('../nic/irq-table.js');
    const { data, notes } = irqsText(document);
    process.stdout.write(`${data.join('\n')}\n`);
    if (notes.length > 0) process.stderr.write(`${notes.join('\n')}\n`);
  } finally {
    if ('looker' in looked) looked.looker.close();
  }
}

/** Adds `rxstamp irqs` to the command tree. */
export function addIrqs(root: Command): void {
  root
    .command('irqs')
    .description('show the interrupts of an interface: queue, vector, CPU, handler, NAPI instance, rate')
    .argument('[interface]', 'interface; without it all of them')
    .option('--irq <list>', 'the other way round: whose interrupt is this')
    .option('--interval <time>', 'time between the two counts for the rate; 0 counts once', '1s')
    .option('--json', 'one JSON document; what is not known is null, with the reason beside it')
    .addHelpText(
      'after',
      `
Vector, handler and NAPI instance are read from the kernel by a BPF program (CAP_BPF, CAP_PERFMON, kernel 5.10);
the rest needs no privilege. Nothing is changed. A vector names an interrupt only together with its CPU.

Examples:
  rxstamp irqs eth0
  rxstamp irqs --irq 25,26 --interval 0
  rxstamp irqs eth0 --json | jq '.interfaces[0].irqs[] | {irq, queue, vector}'`,
    )
    .action(irqs);
}
