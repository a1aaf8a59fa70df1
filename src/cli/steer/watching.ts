/** Opens a watch on an interface: our own stamps where the kernel allows them. */
import { RxError } from '../../base/errors.js';
import type { Nic } from '../../nic/nic.js';
import type { FlowSpec } from '../../steer/flow-spec.js';
import { FlowWatch } from '../../steer/watch.js';
import { possibleCpuCount } from '../../sys/cpus.js';
import { endBy } from '../../sys/end.js';
import { exitNow } from '../../sys/libc.js';
import { checkPrivileges } from '../trace/check.js';

/** A running watch, or why there is none. */
export type Watching =
  | { readonly watch: FlowWatch; readonly now: () => number; readonly close: () => void }
  | { readonly why: string };

/** Starts to watch. When it has, packets are being counted. */
export async function openWatch(nic: Nic, specs: readonly FlowSpec[]): Promise<Watching> {
  try {
    checkPrivileges();
    // Loads libbpf: without it nothing can be watched, but everything undone.
    const { EbpfSession } = await import('../../method/ebpf/session.js');
    const { ringSize } = await import('../trace/target.js');
    const session = EbpfSession.start({
      until: 'driver',
      ifindex: nic.ifindex,
      // Packets alone: what interrupts did does not matter here.
      irqs: [],
      irqOnly: false,
      oneQueue: false,
      pages: true,
      queue: undefined,
      cpus: undefined,
      interrupts: false,
      ringBytes: ringSize(undefined, possibleCpuCount(), false),
    });
    endBy(exitNow);
    return { watch: new FlowWatch(session, specs), now: () => session.now(), close: () => session.close() };
  } catch (error) {
    if (error instanceof RxError) return { why: error.message };
    throw error;
  }
}

const LOOK_MS = 10;

/** Counts until `until` says so, looking every 10 ms. */
export async function watchUntil(watching: Watching, until: () => boolean): Promise<void> {
  while (!until()) {
    if ('watch' in watching) watching.watch.drain();
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  if ('watch' in watching) watching.watch.drain();
}
