/** Counts on which queue packets of a flow arrive, by their stamps at the driver stage. */
import { flowText, readFlow } from '../packet/flow.js';
import { PACKET_LOSS, type Loss } from '../record/loss.js';
import type { RecordSource } from '../record/source.js';
import { type FlowSpec, matches } from './flow-spec.js';

/** What was counted in a span of time. */
export interface FlowCount {
  /** Packets of the flow by queue. */
  readonly byQueue: ReadonlyMap<number, number>;
  /** Packets of the flow whose driver does not record the queue. */
  readonly noQueue: number;
  /** CPUs that polled packets of the flow on each queue. */
  readonly cpus: ReadonlyMap<number, ReadonlySet<number>>;
  /** Different flows seen, by addresses and ports. */
  readonly flows: number;
  /** Packets that may be of the flow: their headers do not tell. */
  readonly untold: number;
  /** The NIC's own hashes of packets of the flow; 0: the driver hands none on. */
  readonly hashes: ReadonlySet<number>;
  /** Queue on which packets with a hash came, whatever their flow; -1: on several. */
  readonly queueByHash: ReadonlyMap<number, number>;
  /** All packets of the interface. */
  readonly packets: number;
  /** Packets that were not seen, for want of room. */
  readonly lost: number;
}

class Tally implements FlowCount {
  readonly byQueue = new Map<number, number>();
  readonly cpus = new Map<number, Set<number>>();
  readonly seen = new Set<string>();
  readonly hashes = new Set<number>();
  readonly queueByHash = new Map<number, number>();
  noQueue = 0;
  untold = 0;
  packets = 0;
  lost = 0;

  get flows(): number {
    return this.seen.size;
  }
}

/** More flows or hashes than this are counted as this many: the sets would only grow. */
const MOST = 65_536;

function noteHash({ queueByHash }: Tally, hash: number, queue: number): void {
  if (hash === 0 || queue < 0) return;
  const before = queueByHash.get(hash);
  if (before === undefined && queueByHash.size === MOST) return;
  queueByHash.set(hash, before === undefined || before === queue ? queue : -1);
}

/** Reads a source and counts. Spans follow each other; the first begins with the source. */
export class FlowWatch {
  private readonly source: RecordSource;
  private readonly specs: readonly FlowSpec[];
  private readonly spans: { readonly from: number; readonly tally: Tally }[] = [
    { from: 0, tally: new Tally() },
  ];

  /** @param specs a packet belongs to the flow when it is in any of these sets */
  constructor(source: RecordSource, specs: readonly FlowSpec[]) {
    this.source = source;
    this.specs = specs;
    source.onLoss = (loss) => this.lose(loss);
  }

  /** Begins a new span at `time` (nanoseconds from the source's base): packets stamped later count there. */
  begin(time: number): FlowCount {
    this.drain();
    const tally = new Tally();
    this.spans.push({ from: time, tally });
    return tally;
  }

  /** The span that began with the source. */
  get first(): FlowCount {
    return (this.spans[0] as { tally: Tally }).tally;
  }

  /** Counts what has come since the last call. */
  drain(): void {
    this.source.drain();
    for (const lane of this.source.lanes) {
      const times = lane.packets.times[0] as Float64Array;
      for (; lane.head < lane.count; lane.head++) {
        const tally = this.tallyAt(times[lane.head] as number);
        tally.packets++;
        const queue = (lane.packets.queue[lane.head] as number) - 1;
        noteHash(tally, lane.packets.hash[lane.head] as number, queue);
        const flow = readFlow(lane, lane.head);
        const answers = this.specs.map((spec) => matches(spec, flow));
        if (!answers.includes(true)) {
          if (answers.includes(undefined)) tally.untold++;
          continue;
        }
        if (tally.seen.size < MOST) tally.seen.add(flowText(flow));
        if (tally.hashes.size < MOST) tally.hashes.add(lane.packets.hash[lane.head] as number);
        if (queue < 0) {
          tally.noQueue++;
          continue;
        }
        tally.byQueue.set(queue, (tally.byQueue.get(queue) ?? 0) + 1);
        const cpus = tally.cpus.get(queue) ?? new Set();
        tally.cpus.set(queue, cpus.add(lane.cpu));
      }
      lane.compact();
    }
  }

  private tallyAt(time: number): Tally {
    let found = (this.spans[0] as { tally: Tally }).tally;
    for (const span of this.spans) if (time >= span.from) found = span.tally;
    return found;
  }

  private lose(loss: Loss): void {
    if (PACKET_LOSS.includes(loss.cause)) this.tallyAt(loss.to).lost += loss.count;
  }
}

/** What a count says about a steering. */
export type Verdict = 'verified' | 'elsewhere' | 'unseen' | 'untold';

/** Judges where packets came: on `queue` alone, elsewhere too, nowhere, or on queues that the driver does not record. */
export function judge(count: FlowCount, queue: number): Verdict {
  const total = [...count.byQueue.values()].reduce((sum, one) => sum + one, 0);
  const there = count.byQueue.get(queue) ?? 0;
  if (total > there) return 'elsewhere';
  if (there > 0 && count.noQueue === 0) return 'verified';
  return count.noQueue > 0 ? 'untold' : 'unseen';
}

/** `queue 0: 12, queue 1: 52`, and the packets of which it cannot be told. */
export function countText(count: FlowCount): string {
  const queues = [...count.byQueue]
    .sort(([a], [b]) => a - b)
    .map(([queue, packets]) => `queue ${queue}: ${packets}`);
  if (count.noQueue > 0) queues.push(`queue not recorded by the driver: ${count.noQueue}`);
  if (count.untold > 0) queues.push(`headers do not tell whether it is the flow: ${count.untold}`);
  return queues.length === 0 ? 'none' : queues.join(', ');
}
