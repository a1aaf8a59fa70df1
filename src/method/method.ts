/** What every way of listening says of itself, and how it is started. One folder per method; {@link METHODS} lists them. */
import type { FeatureAnswer } from '../feature/engine.js';
import type { TraceSource } from '../record/source.js';
import type { StageName } from '../stages.js';
import type { EbpfOptions } from './ebpf/session.js';
import type { MethodName } from './names.js';

/** An interface to listen on. */
export interface Listening {
  readonly name: string;
  readonly ifindex: number;
  readonly driver: string | undefined;
}

/** What to listen to, and how. */
export interface MethodRequest extends EbpfOptions {
  /** The interfaces that packets are wanted of, and whose interrupts `irqs` are. */
  readonly interfaces: readonly Listening[];
}

/** What a method can filter by before an event leaves the kernel, and how it does that in words. */
export type MethodFilters = Readonly<
  Partial<Record<'irq' | 'vector' | 'queue' | 'cpu' | 'interface' | 'expression', string>>
>;

/** What a method needs, in the words of who installs it. */
export interface MethodNeeds {
  /** `CAP_BPF and CAP_PERFMON`, `root`. */
  readonly privileges: string;
  /** Kernel options and programs: `CONFIG_KPROBE_EVENTS`. */
  readonly kernel: string;
  /** Kernel that has had it first: `4.1`. What this kernel can do is tried by {@link Method.possible}. */
  readonly since: string;
}

/** One way of listening. */
export interface Method {
  readonly name: MethodName;
  /** What it is, one sentence without a full stop. */
  readonly sentence: string;
  /** `interrupts`: tells when interrupts came, and nothing of packets; `packets`: only those; `both`. */
  readonly tells: 'interrupts' | 'packets' | 'both';
  /** The latest stage that it can stamp. */
  readonly last: StageName;
  /** It reads the NIC's own stamps where `--hw-timestamps` has turned them on. */
  readonly readsHardware?: boolean;
  readonly filters: MethodFilters;
  readonly needs: MethodNeeds;
  /** How lost events are counted, or why they cannot be, one sentence without a full stop. */
  readonly loss: string;
  /** Whether it works on this machine for what is requested; tried, never derived from a version. Leaves nothing behind. */
  possible(request: MethodRequest): FeatureAnswer;
  /**
   * Sets the machine up. When it resolves, events are being recorded.
   * @throws RxError RXS_NO_METHOD where {@link possible} says no; the method's own
   */
  start(request: MethodRequest): Promise<TraceSource>;
}
