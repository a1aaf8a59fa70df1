/** `rxstamp explain`: the hooks that a trace would use, why none better, and the same interrupts with other tools. */
import type { Command } from 'commander';
import { traceArguments } from './trace.js';

type RawOptions = Record<string, string | boolean | undefined>;

async function explain(words: readonly string[], raw: RawOptions): Promise<void> {
  const { readOptions } = await import('./trace/options.js');
  const { resolveTarget } = await import('./trace/target.js');
  const { checkPrivileges } = await import('./trace/check.js');
  const { METHODS } = await import('../method/index.js');
  const { methodRequest } = await import('./trace/method.js');
  const { equivalents } = await import('../explain/commands.js');
  const { explainFacts } = await import('../explain/facts.js');
  const { planOf } = await import('../explain/plan.js');
  const { explainText, offer, stageOf } = await import('../explain/text.js');
  const { programsThere } = await import('../sys/programs.js');
  const { kernelRelease } = await import('../sys/kernel-config.js');

  const options = readOptions(words, raw);
  const target = resolveTarget(options);
  checkPrivileges();
  const method = await METHODS[options.method]();
  const { stages, programs, notes } = planOf(method, methodRequest(target));
  const interfaces = target.nics.map((nic) => ({
    name: nic.name,
    driver: nic.driver ?? null,
    irqs: nic.irqs
      .filter(({ irq }) => target.ebpf.irqs.some((one) => one.irq === irq))
      .map(({ irq, actions }) => ({ irq, actions })),
  }));
  const irqs = interfaces.flatMap((one) => one.irqs);
  const there = programsThere();
  const document = {
    schema: 'rxstamp.explain/1',
    kernel: kernelRelease(),
    method: method.name,
    sentence: method.sentence,
    interfaces,
    stages: stages.map(stageOf),
    programs,
    equivalents:
      irqs.length === 0
        ? []
        : equivalents(explainFacts(irqs)).map((one) => offer(one, there(one.run.split(' ')[0] as string))),
    notes:
      irqs.length === 0
        ? [...notes, 'without interrupts there is nothing that other tools could show']
        : notes,
  } as const;
  if (raw['json'] === true) {
    process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
    return;
  }
  process.stdout.write(`${explainText(document).join('\n')}\n`);
  for (const note of document.notes) process.stderr.write(`note: ${note}\n`);
}

/** Adds `rxstamp explain` to the command tree. */
export function addExplain(root: Command): void {
  traceArguments(root.command('explain'))
    .description(
      'say which hooks a trace would use and why, and give the same with other tools; traces nothing',
    )
    .option('--json', 'one JSON document')
    .addHelpText(
      'after',
      `
Takes the arguments of trace. Every command line gives the same interrupts on this kernel, as root; each says what it can
filter in the kernel, and what it does to others. Probes are tried and taken off again; nothing stays changed.

Examples:
  rxstamp explain eth0
  rxstamp explain --irq 25 --until read
  rxstamp explain eth0 --json | jq -r '.equivalents[] | .tool + ": " + .run'`,
    )
    .action((first: string | undefined, rest: readonly string[], options: RawOptions) =>
      explain(first === undefined ? [] : [first, ...rest], options),
    );
}
