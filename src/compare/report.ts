/** What a comparison found: the JSON document, and what the table is made of. Pure shapes. */
import type { Spread } from '../base/stats.js';
import type { MethodName } from '../method/names.js';
import type { Earliness } from './match.js';
import type { Cost } from './cost.js';

/** Losses of one run, by cause. */
export type Lost = Readonly<Record<string, number>>;

/** Beside a slow kprobe program of another tool. */
export interface Company {
  /** The most that any method saw, and at least what the kernel counted meanwhile. */
  readonly interrupts: number;
  readonly seen: number;
  /** Losses that the method itself counted. */
  readonly lost: Lost;
}

/** What BPF statistics say of a method's programs. */
export interface BpfTime {
  /** Nanoseconds per interrupt inside the programs; what attaches them is not in it. */
  readonly perInterruptNs: number;
  readonly runsPerInterrupt: number;
}

/** One method. */
export interface MethodReport {
  readonly method: MethodName;
  readonly sentence: string;
  /** Undefined: it works here. */
  readonly impossible?: string;
  /** First stage it stamps, and the hook. */
  readonly stage?: string;
  readonly hook?: string;
  readonly together?: Earliness & { readonly lost: Lost };
  readonly cost?: Cost & { readonly lost: Lost };
  readonly bpf?: BpfTime;
  readonly company?: Company;
  readonly filters: Readonly<Record<string, string>>;
  readonly needs: { readonly privileges: string; readonly kernel: string; readonly since: string };
  readonly loss: string;
  readonly notes: readonly string[];
}

/** How late the packet stamps of a method are. */
export interface PacketReport {
  readonly method: MethodName;
  readonly stage: string;
  readonly hook: string;
  readonly packets: number;
  readonly matched: number;
  readonly lost: Lost;
  /** Later than the driver stage of the same packet, ns. */
  readonly afterDriver: (Spread & { readonly p99: number }) | undefined;
  /** Later than the interrupt of the same packet, for packets that came by their own, ns. */
  readonly afterInterrupt: (Spread & { readonly p99: number }) | undefined;
}

/** The whole of it. */
export interface CompareReport {
  readonly tool: 'rxstamp';
  readonly document: 'compare';
  readonly version: string;
  readonly kernel: string;
  readonly started: string;
  readonly target: string;
  readonly cpus: number;
  /** What the methods are matched with. */
  readonly interrupts: { readonly reference: MethodName | undefined; readonly seen: number };
  readonly methods: readonly MethodReport[];
  readonly packets: readonly PacketReport[];
  /** Why the company's run is missing; undefined: it is there. */
  readonly noCompany?: string;
  /** The idle time is in hundredths of a second: costs are coarse. */
  readonly coarse: boolean;
  readonly verdict: readonly string[];
}
