/** The document of `rxstamp irqs`: interrupts of interfaces with everything that can be known about them. */
import { RxError } from '../base/errors.js';
import { effectiveCapabilities, missingForTracing } from '../sys/caps.js';
import { HOST, type KernelFiles } from '../sys/files.js';
import { debugIrq } from '../sys/irq-debugfs.js';
import { type IrqDetail, type NapiDetail } from '../sys/inspect.js';
import { readInterrupts } from '../sys/interrupts.js';
import { type IrqEvidence, NAPI_GROUNDS, type NapiGround, napiOfIrq } from './napi.js';
import type { Nic, NicIrq } from './nic.js';

/** One interrupt. null = not known; `unknown` says why, by field. */
export interface IrqReport extends Omit<NicIrq, 'queue' | 'effectiveCpu' | 'node' | 'trigger'> {
  readonly queue: number | null;
  readonly effectiveCpu: number | null;
  readonly node: number | null;
  readonly trigger: string | null;
  /** x86 vector on `vectorCpu`. A vector alone names no interrupt: every CPU has its own table. */
  readonly vector: number | null;
  readonly vectorCpu: number | null;
  /** Flow handler: `handle_edge_irq`. */
  readonly flow: string | null;
  /** Functions that handle it, in the order of `actions`; `thread` where a part runs in a kernel thread. */
  readonly handlers: readonly { readonly handler: string; readonly thread: string | null }[] | null;
  readonly napi: {
    /** 0 where the kernel gives no id: an instance that only transmits. */
    readonly id: number;
    readonly poll: string;
    readonly threaded: boolean;
    readonly ground: NapiGround;
  } | null;
  /** Interrupts per second over the interval; null without one. */
  readonly rate: number | null;
  readonly unknown: Readonly<Record<string, string>>;
}

/** One interface. */
export interface NicReport extends Omit<Nic, 'irqs' | 'driver' | 'bus' | 'noIrqs'> {
  readonly driver: string | null;
  readonly bus: string | null;
  readonly noIrqs: string | null;
  readonly irqs: readonly IrqReport[];
}

/** The whole document. `schema` changes when a field changes its meaning or goes away. */
export interface IrqsDocument {
  readonly schema: 'rxstamp.irqs/1';
  /** Seconds between the two counts; null when counted once. */
  readonly interval: number | null;
  readonly interfaces: readonly NicReport[];
  /** The meaning of every `ground` that occurs. */
  readonly grounds: Readonly<Record<string, string>>;
}

/** What looks into the kernel; undefined where that is not possible, with the reason. */
export interface Looker {
  irq(irq: number): IrqDetail | undefined;
  napis(
    name: string,
    ifindex: number,
  ): { readonly device: bigint; readonly napis: readonly NapiDetail[] } | undefined;
  close(): void;
}

/** A looker, or why there is none. */
export type Looked = { readonly looker: Looker } | { readonly why: string };

/** Opens the BPF inspector, or says why it cannot be had. Never throws. */
export async function openLooker(): Promise<Looked> {
  const lacking = missingForTracing(effectiveCapabilities() ?? new Set());
  if (lacking.length > 0) return { why: `needs ${lacking.join(' and ')}: run as root` };
  try {
    const { Inspector } = await import('../sys/inspect.js');
    return { looker: Inspector.open() };
  } catch (error) {
    if (!(error instanceof RxError)) throw error;
    return { why: `${error.message} (${error.code})` };
  }
}

/** Builds the document. `rates` by IRQ, empty when counted once. */
export function reportIrqs(
  nics: readonly Nic[],
  looked: Looked,
  rates: ReadonlyMap<number, number>,
  interval: number | null,
  files: KernelFiles = HOST,
): IrqsDocument {
  const interfaces = nics.map((nic) => reportNic(nic, looked, rates, files));
  const used = new Set(interfaces.flatMap((nic) => nic.irqs.flatMap((irq) => irq.napi?.ground ?? [])));
  return {
    schema: 'rxstamp.irqs/1',
    interval,
    interfaces,
    grounds: Object.fromEntries([...used].map((ground) => [ground, NAPI_GROUNDS[ground]])),
  };
}

/** Interrupts per second since `before`, by IRQ. */
export function irqRates(
  nics: readonly Nic[],
  seconds: number,
  files: KernelFiles = HOST,
): ReadonlyMap<number, number> {
  const now = readInterrupts(files).lines;
  const rates = new Map<number, number>();
  for (const { irq, count } of nics.flatMap((nic) => nic.irqs)) {
    const after = now.get(irq)?.counts.reduce((sum, one) => sum + one, 0);
    if (after !== undefined) rates.set(irq, Math.max(0, after - count) / seconds);
  }
  return rates;
}

function reportNic(
  nic: Nic,
  looked: Looked,
  rates: ReadonlyMap<number, number>,
  files: KernelFiles,
): NicReport {
  const looker = 'looker' in looked ? looked.looker : undefined;
  const details = nic.irqs.map((irq) => looker?.irq(irq.irq));
  const evidence: IrqEvidence[] = nic.irqs.flatMap(({ role, queue }, i) => {
    const detail = details[i];
    return detail === undefined ? [] : [{ detail, role, queue }];
  });
  const instances = nic.irqs.length > 0 ? looker?.napis(nic.name, nic.ifindex) : undefined;
  const { irqs: _irqs, driver, bus, noIrqs, ...same } = nic;
  const irqs = nic.irqs.map((irq, i) => {
    const unknown: Record<string, string> = {};
    const own = evidence.find((one) => one.detail.irq === irq.irq);
    const tied = own && instances && napiOfIrq(own, evidence, instances.napis, instances.device);
    const rate = rates.get(irq.irq) ?? null;
    return reportIrq(irq, details[i], tied, 'why' in looked ? looked.why : undefined, rate, unknown, files);
  });
  return { ...same, driver: driver ?? null, bus: bus ?? null, noIrqs: noIrqs ?? null, irqs };
}

function reportIrq(
  irq: NicIrq,
  detail: IrqDetail | undefined,
  tied: ReturnType<typeof napiOfIrq>,
  why: string | undefined,
  rate: number | null,
  unknown: Record<string, string>,
  files: KernelFiles,
): IrqReport {
  if (irq.role !== 'other' && tied === undefined) {
    unknown['napi'] = why ?? 'nothing ties this interrupt to a NAPI instance';
  }
  if (irq.queue === undefined && irq.role.startsWith('rx')) {
    unknown['queue'] = 'neither the handler name nor the kernel tells the receive queue';
  }
  const { queue, effectiveCpu, node, trigger, ...same } = irq;
  return {
    ...same,
    queue: queue ?? null,
    effectiveCpu: effectiveCpu ?? null,
    node: node ?? null,
    trigger: trigger ?? null,
    ...place(irq, detail, why, unknown, files),
    napi:
      tied === undefined
        ? null
        : { id: tied.napi.id, poll: tied.napi.poll, threaded: tied.napi.threaded, ground: tied.ground },
    rate,
    unknown,
  };
}

/** Vector, flow and handlers from the kernel itself, else from debugfs, else null with the reasons. */
function place(
  irq: NicIrq,
  detail: IrqDetail | undefined,
  why: string | undefined,
  unknown: Record<string, string>,
  files: KernelFiles,
): Pick<IrqReport, 'vector' | 'vectorCpu' | 'flow' | 'handlers'> {
  if (detail !== undefined) {
    if (detail.vector === undefined) unknown['vector'] = 'none is assigned at this moment';
    return {
      vector: detail.vector ?? null,
      vectorCpu: detail.cpu ?? null,
      flow: detail.flow,
      handlers: detail.actions.map(({ handler, thread }) => ({ handler, thread: thread ?? null })),
    };
  }
  const reason = why ?? 'the kernel has no sysfs folder for this interrupt';
  unknown['handlers'] = reason;
  const debug = debugIrq(irq.irq, files);
  if (!debug.known) {
    for (const field of ['vector', 'flow'])
      unknown[field] = `${reason}; nor does debugfs tell (/sys/kernel/debug/irq)`;
    return { vector: null, vectorCpu: null, flow: null, handlers: null };
  }
  return {
    vector: debug.value.vector ?? null,
    vectorCpu: debug.value.cpu ?? null,
    flow: debug.value.flow ?? null,
    handlers: null,
  };
}
