/** `rxstamp stack`: the chain of calls from the CPU's entry to the driver's interrupt handler, as it is on this machine. */
import type { Command } from 'commander';

interface StackFlags {
  readonly irq?: string;
  readonly wait: string;
  readonly count: string;
  readonly json?: true;
}

async function stack(iface: string | undefined, flags: StackFlags): Promise<void> {
  const { parseCount, parseDuration, parseNumberList } = await import('../base/units.js');
  const { defaultRouteInterface, nicsOfIrq, resolveNic } = await import('../nic/resolve.js');
  const { RxError } = await import('../base/errors.js');
  const { checkPrivileges } = await import('./trace/check.js');
  const { takeChain } = await import('../chain/take.js');
  const waitMs = parseDuration(flags.wait, '--wait') / 1e6;
  const count = /^0+$/.test(flags.count) ? 0 : parseCount(flags.count, '--count');
  const named = iface === undefined ? undefined : resolveNic(iface);
  const wanted = flags.irq === undefined ? undefined : parseNumberList(flags.irq, '--irq');
  const nic = named ?? (wanted === undefined ? resolveNic(defaultRouteInterface()) : undefined);
  const receives = nic?.irqs.filter(({ role }) => role === 'rx' || role === 'rxtx') ?? [];
  const all = receives.length > 0 ? receives : (nic?.irqs ?? []);
  const owners =
    wanted === undefined
      ? all.map((irq) => ({ nic: nic as NonNullable<typeof nic>, irq }))
      : wanted.flatMap((irq) => {
          const found = nicsOfIrq(irq);
          const own = found.filter((one) => named === undefined || one.nic.ifindex === named.ifindex);
          if (own.length > 0) return [own[0] as (typeof own)[number]];
          throw new RxError('RXS_USAGE', {
            doing: 'choosing interrupts of',
            subject: named?.name ?? '',
            why: `IRQ ${irq} belongs to ${found[0].nic.name}`,
            hint: 'leave the interface out',
          });
        });
  if (owners.length === 0)
    throw new RxError('RXS_USAGE', {
      doing: 'taking the stack of an interrupt of',
      subject: nic?.name ?? '',
      why: nic?.noIrqs ?? 'it has none',
      hint: 'name an interface with interrupts (rxstamp irqs)',
    });
  checkPrivileges();
  const document = await takeChain({ owners, waitMs, count });
  if (flags.json) {
    process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
    return;
  }
  const { stackText } = await import('../chain/text.js');
  process.stdout.write(`${stackText(document).join('\n')}\n`);
  for (const note of document.notes) process.stderr.write(`note: ${note}\n`);
}

/** Adds `rxstamp stack` to the command tree. */
export function addStack(root: Command): void {
  root
    .command('stack')
    .description(
      'show the calls from the CPU’s interrupt entry to the driver’s handler, and what can hang on each',
    )
    .argument('[interface]', 'interface; without it the one with the default route')
    .option('--irq <list>', 'wait for one of these interrupts')
    .option('--wait <time>', 'how long to wait for it, and for the ones that are timed', '10s')
    .option('--count <number>', 'interrupts to time the functions of; 0: none', '100')
    .option('--json', 'one JSON document')
    .addHelpText(
      'after',
      `
Waits for one interrupt, takes its stack with a BPF program, and tries fentry and kprobe on each of its functions. Those
that take a hook are then timed, all of them at once. Everything is taken off again before the command ends.

Examples:
  rxstamp stack eth0
  rxstamp stack --irq 26 --count 1000 --wait 30s
  rxstamp stack eth0 --json | jq -r '.frames[].function'`,
    )
    .action(stack);
}
