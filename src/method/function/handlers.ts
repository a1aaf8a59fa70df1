/** The handlers of this machine's interrupt lines, and where the lines go. */
import { RxError } from '../../base/errors.js';
import { openLooker } from '../../nic/irq-report.js';
import { parseCpuList, readInterrupts, readIrqPlace } from '../../sys/interrupts.js';
import type { HandledLine } from './lines.js';

/** What the hard interrupt calls where the handler runs in a thread, of all lines alike. */
const PRIMARY = 'irq_default_primary_handler';

/** A function's name without its module: `igb_msix_ring [igb]`. */
const bare = (name: string): string => name.replace(/ \[.*$/, '');

function cpuOf(irq: number): number | undefined {
  const cpus = parseCpuList(readIrqPlace(irq).effective ?? '');
  return cpus.length === 1 ? cpus[0] : undefined;
}

/** The same lines, where they go now. */
export function placedNow(lines: readonly HandledLine[]): readonly HandledLine[] {
  return lines.map((line) => ({ ...line, cpu: line.threaded ? undefined : cpuOf(line.irq) }));
}

/** All lines of the machine that somebody handles. @throws RxError RXS_NO_METHOD where handlers cannot be read */
export async function handledLines(): Promise<readonly HandledLine[]> {
  const looked = await openLooker();
  if ('why' in looked) {
    throw new RxError('RXS_NO_METHOD', {
      doing: 'looking for the function that handles an interrupt with',
      subject: '--method function',
      why: looked.why,
      hint: 'use --method ftrace, whose events need no function',
    });
  }
  try {
    const lines = [...readInterrupts().lines.keys()].flatMap((irq) => {
      const actions = looked.looker.irq(irq)?.actions ?? [];
      if (actions.length === 0) return [];
      const threaded = actions.some(({ handler }) => handler === PRIMARY);
      const handlers = actions.map(({ handler, thread }) =>
        bare(handler === PRIMARY ? (thread ?? handler) : handler),
      );
      return [{ irq, handlers, threaded, cpu: undefined }];
    });
    return placedNow(lines);
  } finally {
    looked.looker.close();
  }
}
