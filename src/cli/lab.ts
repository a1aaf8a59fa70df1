/** `rxstamp lab`: run a command in a QEMU guest with a stock Debian kernel and an emulated NIC. */
import { type Command, InvalidArgumentError } from 'commander';
import { RxError } from '../base/errors.js';

interface LabFlags {
  readonly kernel: string;
  readonly nic: string;
  readonly cpus: number;
  readonly memory: number;
  readonly icount?: true;
  readonly trace?: readonly string[];
  readonly inject?: string;
  readonly append: string;
  readonly timeout: number;
  readonly list?: true;
}

/** A whole number in a range, as commander wants it. */
function whole(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`give a whole number from ${least} to ${most}`);
  };
}

const collect = (value: string, before: readonly string[] = []): string[] => [...before, value];

async function lab(argv: readonly string[], flags: LabFlags): Promise<void> {
  const { labTable, runInLab } = await import('../../lab/command.js');
  if (flags.list) {
    process.stdout.write(labTable());
    return;
  }
  if (argv.length === 0) {
    throw new RxError('RXS_USAGE', {
      doing: 'starting the lab',
      why: 'no command to run in the guest',
      hint: 'give one behind --, for example: rxstamp lab -- uname -a',
    });
  }
  const { parseInject } = await import('../../lab/inject-spec.js');
  process.exitCode = await runInLab({
    guest: {
      kernel: flags.kernel,
      nic: flags.nic === 'none' ? null : flags.nic,
      cpus: flags.cpus,
      memory: flags.memory,
      icount: flags.icount ?? false,
      trace: flags.trace ?? [],
      append: flags.append,
    },
    argv,
    inject: flags.inject === undefined ? undefined : parseInject(flags.inject),
    timeout: flags.timeout,
  });
}

/** Adds `rxstamp lab` to the command tree. */
export function addLab(root: Command): void {
  root
    .command('lab')
    .description('run a command in a guest with a stock Debian kernel and an emulated NIC')
    .argument('[command...]', 'command and its arguments, run as root in the current folder')
    .option('--kernel <name>', 'kernel of the guest', '6.12')
    .option('--nic <model>', 'igb, e1000e, vmxnet3 or virtio, with ,queues=N; or none', 'igb')
    .option('--cpus <n>', 'emulated CPUs', whole(1, 16), 2)
    .option('--memory <MiB>', 'memory of the guest', whole(256, 65_536), 2048)
    .option('--icount', 'count instructions instead of time: one CPU, 1 ns per instruction')
    .option('--trace <event>', 'log a QEMU trace event with host times (repeat for more)', collect)
    .option('--inject <spec>', 'send frames while the command runs: udp,flows=8,count=1000,gap=1ms')
    .option('--append <words>', "more words for the kernel's command line", '')
    .option('--timeout <s>', 'end the command after this time', whole(1, 86_400), 600)
    .option('--list', 'show the kernels and NICs')
    .passThroughOptions()
    .addHelpText(
      'after',
      `
Frames start with the command's first line of output (a tracer that listens says so); in the spec start=2s sets a
time, start=~text waits for a line with that text.
The guest sees this machine's files read-only; what it writes stays in its memory. The exit code is the command's.

Examples:
  rxstamp lab -- uname -a
  rxstamp lab --inject udp,flows=8,count=1000,gap=1ms -- npx rxstamp trace eth0 -c 100
  rxstamp lab --kernel 6.1 --nic vmxnet3 --cpus 4 -- cat /proc/interrupts`,
    )
    .action(lab);
}
