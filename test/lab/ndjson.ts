/** What the lab tests read from `--format ndjson`. */
import type { StageName } from '../../src/stages.js';

/** A packet line. */
export interface PacketLine {
  readonly type: 'packet';
  readonly number: number;
  readonly arrival: string;
  readonly stage: StageName;
  readonly how: string;
  readonly certain: boolean;
  readonly ground: string;
  /** Relative to the arrival, ns; null: nothing is known. */
  readonly notBefore: number | null;
  readonly notAfter: number;
  readonly via: readonly string[];
  readonly batch?: readonly [number, number];
  readonly irq?: number;
  readonly vector?: number | null;
  readonly irqCpu?: number;
  readonly cpu: number;
  readonly queue: number | null;
  readonly length: number;
  readonly flow: {
    readonly family?: string;
    readonly source?: string;
    readonly destination?: string;
    readonly vlan?: number;
    readonly sourcePort?: number;
    readonly destinationPort?: number;
    readonly protocol?: number;
    readonly fragment?: boolean;
  };
  readonly stages: Readonly<Partial<Record<StageName, number>>>;
  readonly deltas: Readonly<Partial<Record<StageName, number>>>;
  readonly total: number;
  readonly fate?: string;
  readonly woken?: { readonly tid: number; readonly name: string | null };
  readonly reader?: {
    readonly pid: number;
    readonly tid: number;
    readonly name: string | null;
    readonly bytes: number;
  };
  readonly dropReason?: string | null;
  readonly mergedInto?: number | null;
  readonly mergedFrom?: readonly number[];
}

/** An interrupt line. */
export interface InterruptLine {
  readonly type: 'interrupt';
  readonly time: string;
  readonly irq: number;
  readonly vector: number | null;
  readonly cpu: number;
  readonly claim: number | null;
  readonly isr: number | null;
  readonly exit: number;
}

/** A note line. */
export interface NoteLine {
  readonly type: 'note';
  readonly time: string;
  readonly what: string;
  readonly text: string;
  readonly interface?: string;
  readonly irq?: number;
  readonly cpus?: readonly number[];
}

/** The summary line. */
export interface SummaryLine {
  readonly type: 'summary';
  readonly packets: number;
  readonly seen: number;
  readonly stopped?: Readonly<Record<string, number>>;
  readonly interrupts: number;
  readonly records: number;
  readonly lost: number;
  readonly packetsLost: number;
  readonly lateStages?: number;
  readonly how: Readonly<Record<string, number>>;
}

/** The meta line. */
export interface MetaLine {
  readonly type: 'meta';
  readonly on?: string;
  readonly ways: readonly { readonly stage: StageName; readonly hook?: string }[];
  readonly interfaces: readonly {
    readonly irqs: readonly { readonly irq: number; readonly queue?: number; readonly role: string }[];
  }[];
}

/** A parsed trace. */
export interface TraceLines {
  readonly meta: MetaLine;
  readonly packets: readonly PacketLine[];
  readonly interrupts: readonly InterruptLine[];
  readonly losses: readonly { readonly count: number; readonly cause: string }[];
  readonly notes: readonly NoteLine[];
  readonly summary: SummaryLine;
}

/** Reads a whole trace; throws when a line is not JSON or meta or summary is missing. */
export function readTrace(text: string): TraceLines {
  const lines = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { type: string });
  const of = <T>(type: string): T[] => lines.filter((line) => line.type === type) as T[];
  const [meta] = of<MetaLine>('meta');
  const [summary] = of<SummaryLine>('summary');
  if (meta === undefined || summary === undefined)
    throw new Error(`no meta or no summary in ${lines.length} lines`);
  return {
    meta,
    summary,
    packets: of('packet'),
    interrupts: of('interrupt'),
    losses: of('loss'),
    notes: of('note'),
  };
}
