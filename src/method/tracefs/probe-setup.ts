/** Defines the probes of the probe methods, the best that this kernel takes, and says why not better ones. */
import { RxError } from '../../base/errors.js';
import { openLooker } from '../../nic/irq-report.js';
import { debugIrq } from '../../sys/irq-debugfs.js';
import { findSymbols } from '../../sys/kallsyms.js';
import { openKernelBtf } from '../../sys/kernel-btf.js';
import { PROBE_KINDS, ProbeGroup, type ProbeKind } from '../../sys/trace-probes.js';
import type { Tracefs } from '../../sys/tracefs.js';
import type { MethodRequest } from '../method.js';
import type { IrqPlace } from './places.js';
import type { Probed } from './probe-source.js';

const ENTRY = '__common_interrupt';

/** Flow handlers: of MSI, and of level-triggered pins. x86 has no others for devices on a PCI bus. */
export const FLOWS: readonly string[] = ['handle_edge_irq', 'handle_fasteoi_irq'];

/** How a kind of probe says what it fetches. */
export interface Fetches {
  readonly vector: string;
  readonly irq: string;
}

/** `desc->irq_data.irq` as an offset from the first argument: kprobe_events knows no types before Linux 6.6. */
export function kprobeFetches(): Fetches {
  const btf = openKernelBtf();
  try {
    const data = btf?.memberOffset('irq_desc', 'irq_data');
    const irq = btf?.memberOffset('irq_data', 'irq');
    if (data === undefined || irq === undefined) {
      throw new RxError('RXS_NO_BTF', {
        doing: 'looking for the offset of',
        subject: 'irq_desc.irq_data.irq',
        why: 'the kernel has no type information that tells it',
        hint: 'use a kernel built with CONFIG_DEBUG_INFO_BTF=y, or --method ftrace',
      });
    }
    return { vector: 'vector=$arg2:u32', irq: `irq=+${data + irq}($arg1):u32` };
  } finally {
    btf?.close();
  }
}

/** The same by the names of the arguments. */
export const FPROBE_FETCHES: Fetches = { vector: 'vector=vector', irq: 'irq=desc->irq_data.irq' };

interface Places {
  readonly read: () => ReadonlyMap<number, IrqPlace>;
  readonly close: () => void;
  /** Why none is known; undefined: some are. */
  readonly why: string | undefined;
}

/** A reader of where the wanted interrupts go: the kernel's own table by BPF, else debugfs. */
async function openPlaces(request: MethodRequest): Promise<Places> {
  const looked = await openLooker();
  const looker = 'looker' in looked ? looked.looker : undefined;
  const read = (): ReadonlyMap<number, IrqPlace> => {
    const places = new Map<number, IrqPlace>();
    for (const { irq } of request.irqs) {
      const debug = debugIrq(irq);
      const { cpu, vector } = looker?.irq(irq) ?? (debug.known ? debug.value : {});
      if (cpu !== undefined && vector !== undefined) places.set(irq, { cpu, vector });
    }
    return places;
  };
  const none = read().size === 0;
  const why = none ? ('why' in looked ? looked.why : 'none is assigned to them') : undefined;
  return { read, why, close: () => looker?.close() };
}

/** What a kernel lacks that does not even know of such probes; undefined: nothing that it tells. */
function lacks(tracefs: Tracefs, kind: ProbeKind): string | undefined {
  const { file } = PROBE_KINDS[kind];
  const option = kind === 'kprobe' ? 'CONFIG_KPROBE_EVENTS' : 'CONFIG_FPROBE_EVENTS';
  // tracefs explains itself: `f[:[<group>/][<event>]] <func-name>[%return] [<args>]`.
  const known = tracefs.has(file) && (kind === 'kprobe' || /^\s*f\[/m.test(tracefs.read('README')));
  return known ? undefined : `this kernel has no ${kind} events (${option})`;
}

/**
 * Whether a flow handler can be probed at all; everything is taken away again.
 * @throws RxError RXS_NO_METHOD, RXS_TRACEFS, RXS_NO_BTF
 */
export function tryProbes(tracefs: Tracefs, kind: ProbeKind, fetches: () => Fetches): void {
  const why = lacks(tracefs, kind);
  if (why !== undefined) {
    throw new RxError('RXS_NO_METHOD', {
      doing: 'looking for',
      subject: PROBE_KINDS[kind].file,
      why,
      hint: '`rxstamp compare` says which methods work here',
    });
  }
  const probes = new ProbeGroup(tracefs, kind);
  try {
    probes.define({ label: 'flow', target: FLOWS[0] as string, fetch: fetches().irq });
  } finally {
    probes.remove();
  }
}

/** Defines the probes; nothing is hooked yet. Errors: RXS_TRACEFS. */
export async function setUpProbes(
  tracefs: Tracefs,
  kind: ProbeKind,
  fetches: Fetches,
  request: MethodRequest,
  notes: readonly string[],
): Promise<Probed> {
  const places = await openPlaces(request);
  const probes = new ProbeGroup(tracefs, kind);
  try {
    const flows = FLOWS.map((target) => probes.define({ label: target, target, fetch: fetches.irq }));
    let entry: string | undefined;
    const reasons: string[] = [];
    if (places.why === undefined) {
      try {
        entry = probes.define({ label: 'entry', target: ENTRY, fetch: fetches.vector });
      } catch (error) {
        if (!(error instanceof RxError)) throw error;
        // kprobe_events gives other reasons first (5.10: "Invalid $-valiable").
        const absent = findSymbols([ENTRY])?.length === 0;
        const why = absent ? 'not a function of this kernel (absent or inlined)' : error.message;
        reasons.push(`${kind} ${ENTRY}: ${why}`);
      }
    } else {
      reasons.push(
        `${kind} ${ENTRY}: it knows vectors only, and those of these interrupts cannot be told: ${places.why}`,
      );
    }
    const programs = [...(entry === undefined ? [] : [ENTRY]), ...FLOWS].map((target) => `${kind}:${target}`);
    const hook = `${kind} ${entry === undefined ? '' : `${ENTRY}, claimed by `}${FLOWS.join(' or ')}`;
    const ways = [{ stage: 'entry', hook, reasons }] as const;
    return { probes, entry, flows, ways, programs, notes, places: places.read, close: places.close };
  } catch (error) {
    probes.remove();
    places.close();
    throw error;
  }
}
