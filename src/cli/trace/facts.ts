/** What the rules of arrival must know of this machine: asked once, when a trace starts. */
import { irqFacts } from '../../nic/irq-facts.js';
import { moderationOf } from '../../nic/moderation.js';
import type { Nic } from '../../nic/nic.js';
import type { ArrivalFacts, IrqFacts } from '../../packet/arrival.js';
import { deepestIdle } from '../../sys/cpuidle.js';
import { parseCoalescing } from '../../sys/ethtool.js';
import { HOST, type KernelFiles } from '../../sys/files.js';
import { type RunProgram, runProgram } from '../../sys/programs.js';

/** Never fails: what cannot be asked is unknown, and then no arrival is certain on its ground. */
export async function askFacts(
  nics: readonly Nic[],
  files: KernelFiles = HOST,
  run: RunProgram = runProgram,
): Promise<Pick<ArrivalFacts, 'irqs' | 'lines' | 'wakeNs'>> {
  const irqs = new Map<number, IrqFacts>();
  await Promise.all(
    nics
      .filter((nic) => nic.irqs.length > 0)
      .map(async (nic) => {
        const text = await run('ethtool', ['-c', nic.name]);
        const moderation = text.known ? moderationOf(nic.driver, parseCoalescing(text.value)) : undefined;
        for (const facts of irqFacts(nic, moderation)) irqs.set(facts.irq, facts);
      }),
  );
  const lines = nics.flatMap((nic) => nic.irqs).filter(({ role }) => role === 'rx' || role === 'rxtx').length;
  return { irqs, lines, wakeNs: (deepestIdle(files)?.latencyUs ?? 0) * 1000 };
}
