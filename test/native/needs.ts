/** What the native tests need, each as the sentence that a skipped test shows. */
import { installed, tryRun } from '../../bench/lib/run.js';
import { missingForTracing, effectiveCapabilities } from '../../src/sys/caps.js';
import { defaultRoutes } from '../../src/sys/routes.js';
import { resolveNic } from '../../src/nic/resolve.js';

function lacks(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root';
  const missing = missingForTracing(effectiveCapabilities() ?? new Set());
  if (missing.length > 0) return `needs ${missing.join(' and ')}`;
  const programs = ['gcc', 'ip', 'bpftool'].filter((program) => !installed(program));
  if (programs.length > 0) return `needs ${programs.join(' and ')}: sh scripts/setup.sh bench`;
  return tryRun('ip', ['netns', 'list']).code === 0 ? undefined : 'needs network namespaces';
}

/** Why nothing can be traced here; undefined when it can. */
export const cannotTrace: string | undefined = lacks();

function nicWithIrq(): { readonly name: string; readonly irqs: readonly number[] } | undefined {
  for (const { iface } of defaultRoutes()) {
    const nic = resolveNic(iface);
    const irqs = nic.irqs.filter(({ role }) => role === 'rx' || role === 'rxtx').map(({ irq }) => irq);
    if (irqs.length > 0) return { name: iface, irqs };
  }
  return undefined;
}

/** The NIC of the default route, where it has interrupts of its own. */
export const ownNic = nicWithIrq();

export { titled } from '../support/titled.js';
