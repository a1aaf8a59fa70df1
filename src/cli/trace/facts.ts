/** What the rules of arrival must know of this machine: asked once, when a trace starts. */
import { irqFacts } from '../../nic/irq-facts.js';
import { moderationOf } from '../../nic/moderation.js';
import type { Nic } from '../../nic/nic.js';
import type { ArrivalFacts, IrqFacts } from '../../packet/arrival.js';
import { deepestIdle } from '../../sys/cpuidle.js';
import { parseCoalescing } from '../../sys/ethtool.js';
import { HOST, type KernelFiles } from '../../sys/files.js';
import { type RunProgram, runProgram } from '../../sys/programs.js';

/** The part of the facts that is asked of the interfaces. */
type Asked = Pick<ArrivalFacts, 'irqs' | 'lines' | 'wakeNs'>;

/** Lines that may bring packets. */
const linesOf = (nics: readonly Nic[]): number =>
  nics.flatMap((nic) => nic.irqs).filter(({ role }) => role === 'rx' || role === 'rxtx').length;

/** Never fails: what cannot be asked is unknown, and then no arrival is certain on its ground. */
export async function askFacts(
  nics: readonly Nic[],
  files: KernelFiles = HOST,
  run: RunProgram = runProgram,
): Promise<Asked> {
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
  return { irqs, lines: linesOf(nics), wakeNs: (deepestIdle(files)?.latencyUs ?? 0) * 1000 };
}

/**
 * Renews `facts` in place when the interfaces have changed. Nothing is certain on the old ground: until the answer is
 * there the interrupts are unknown, and an answer that comes when there is a newer question is not taken.
 */
export function renewing(
  facts: { irqs: Asked['irqs']; lines: number },
  ask: (nics: readonly Nic[]) => Promise<Asked> = askFacts,
): (nics: readonly Nic[]) => void {
  let asked = 0;
  return (nics) => {
    const mine = ++asked;
    facts.irqs = new Map();
    facts.lines = linesOf(nics);
    void ask(nics).then(({ irqs }) => {
      if (mine === asked) facts.irqs = irqs;
    });
  };
}
