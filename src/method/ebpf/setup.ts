/** Before a session is loaded: which programs, and what they are told. */
import { RxError } from '../../base/errors.js';
import { hookProbe } from '../../feature/hooks.js';
import { hostHooks } from '../../feature/host-hooks.js';
import { networkNamespace } from '../../sys/netns.js';
import { pageVariables } from '../../sys/page-variables.js';
import { setFilter } from './filter.js';
import { FULL, type Flavour } from './flavour.js';
import { CONFIG, LIMITS } from './layout.gen.js';
import { COMPARED, type EbpfOptions } from './options.js';
import { type Plan, plan } from './plan.js';

/** What is to be loaded, and what this kernel says beside it. */
export interface Decision {
  readonly chosen: Plan;
  /** Headers are read by cast, not by helper. */
  readonly castHeaders: boolean;
  /** The kernel's names of drop reasons. */
  readonly reasons: ReadonlyMap<number, string>;
}

function hasIrqs({ irqs, mayHaveIrqs }: EbpfOptions): boolean {
  return irqs.length > 0 || mayHaveIrqs === true;
}

/** What would be loaded for `options` on this machine. Errors: RXS_NO_BTF, RXS_NO_HOOK. */
export function planFor(options: EbpfOptions, flavour: Flavour = FULL): Plan {
  return decide(options, flavour).chosen;
}

/** Asks the kernel and decides. Errors: RXS_NO_BTF, RXS_NO_HOOK. */
export function decide(options: EbpfOptions, flavour: Flavour): Decision {
  const door = hostHooks();
  try {
    if (!door.hasBtf) {
      throw new RxError('RXS_NO_BTF', {
        doing: 'reading the kernel type information',
        subject: '/sys/kernel/btf/vmlinux',
        why: 'this kernel has no BTF',
        hint: 'use a kernel built with CONFIG_DEBUG_INFO_BTF=y (Debian has it since 5.10)',
      });
    }
    const request = {
      ...options,
      irqThreads: options.irqThreads === true,
      hardware: options.hardware?.way,
      hasIrqs: hasIrqs(options),
    };
    const told = door.hasPreemptCount() && flavour.trustsPreemptCount;
    const chosen = flavour.finish(plan(request, flavour.probe(hookProbe(door)), told));
    const missing = chosen.ways.find((way) => way.stage === 'driver' && way.hook === undefined);
    if (missing) {
      throw new RxError('RXS_NO_HOOK', {
        doing: 'choosing hooks for stage',
        subject: missing.stage,
        why: missing.reasons.join('; '),
        hint: 'run `rxstamp doctor`',
      });
    }
    const reasons = chosen.tracked ? door.enumNames('skb_drop_reason') : new Map<number, string>();
    return { chosen, reasons, castHeaders: (door.functionId('bpf_rdonly_cast') ?? 0) > 0 };
  } finally {
    door.close();
  }
}

/** @throws RxError RXS_USAGE where CPUs have no room in the number of a packet that is followed */
export function checkTracked(cpus: number): void {
  if (cpus <= LIMITS.MOST_TRACKED_CPUS) return;
  throw new RxError('RXS_USAGE', {
    doing: 'following packets beyond the driver stage on',
    subject: `${cpus} CPUs`,
    why: `a packet's number has room for ${LIMITS.MOST_TRACKED_CPUS}`,
    hint: 'use --until driver',
  });
}

/** Packet programs that fetch headers by helper, for kernels before 6.2. */
export function probeVariants(programs: readonly string[], all: readonly string[]): readonly string[] {
  return programs.map((name) => (all.includes(`${name}_probe`) ? `${name}_probe` : name));
}

/** Writes what the programs must know before they are loaded. */
export function configure(
  rodata: DataView,
  options: EbpfOptions,
  chosen: Plan,
  cpus: number,
  chunks: number,
): void {
  const set = (offset: number, value: number | boolean): void =>
    rodata.setUint32(offset, Number(value), true);
  set(CONFIG.chunksPerRing, chunks);
  set(CONFIG.possibleCpus, cpus);
  set(CONFIG.oneDevice, options.ifindex !== undefined);
  set(CONFIG.netns, networkNamespace());
  set(CONFIG.queue, options.queue === undefined ? 0 : options.queue + 1);
  set(CONFIG.irqOnly, options.irqOnly);
  set(CONFIG.cpuOnly, options.cpus !== undefined);
  set(CONFIG.hasIrqs, hasIrqs(options));
  set(
    CONFIG.enterHooked,
    chosen.programs.some((name) => name.startsWith('irq_enter')),
  );
  set(CONFIG.entryHooked, chosen.entryHooked);
  set(CONFIG.prepHooked, chosen.prepHooked);
  set(CONFIG.exitHooked, chosen.exitHooked);
  set(CONFIG.softirqExitHooked, chosen.softirqExitHooked);
  set(CONFIG.startHooked, chosen.startHooked);
  set(CONFIG.irqThreads, chosen.threadsHooked);
  setFilter(rodata, options.filter);
  const pages = options.pages || options.filter !== undefined ? pageVariables() : undefined;
  rodata.setBigUint64(CONFIG.vmemmapBase, pages?.vmemmapBase ?? 0n, true);
  rodata.setBigUint64(CONFIG.pageOffsetBase, pages?.pageOffsetBase ?? 0n, true);
  set(CONFIG.interrupts, options.interrupts);
  set(CONFIG.hardware, options.hardware?.clock !== undefined);
  set(CONFIG.tracked, chosen.tracked);
  set(CONFIG.wakeEndHooked, chosen.programs.includes('socket_tcp_done'));
  const { slower } = options;
  if (slower === undefined) return;
  set(CONFIG.slowFrom, COMPARED[slower.from] ?? 0);
  set(CONFIG.slowTo, COMPARED[slower.to] ?? 0);
  rodata.setBigUint64(CONFIG.slowNs, BigInt(slower.ns), true);
}
