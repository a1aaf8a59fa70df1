/** A source that is filled by hand, for tests of what joins records. */
import { Lane } from '../../src/record/lane.js';
import { LATER, LaterRecord } from '../../src/record/later.js';
import type { Loss } from '../../src/record/loss.js';
import type { RecordSource } from '../../src/record/source.js';
import { type StageName, stageIndex } from '../../src/stages.js';

/** Names of drop reasons in tests. */
export const REASONS: Readonly<Record<number, string>> = { 2: 'NOT_SPECIFIED', 3: 'NO_SOCKET' };

/** See above. */
export class HandSource implements RecordSource {
  readonly base = 0n;
  readonly lanes: readonly Lane[];
  readonly ways: RecordSource['ways'];
  readonly losses: Loss[] = [];
  drainedTo = 0;
  onLater: RecordSource['onLater'] = () => {};
  onInterrupt: RecordSource['onInterrupt'] = () => {};
  onLoss: RecordSource['onLoss'] = (loss) => this.losses.push(loss);

  constructor(lanes: number, stages: readonly StageName[]) {
    this.lanes = Array.from({ length: lanes }, (_, cpu) => new Lane(cpu));
    this.ways = stages.map((stage) => ({ stage, hook: 'by hand', reasons: [] }));
  }
  drain(): number {
    return 0;
  }
  dropReasonName(reason: number): string | undefined {
    return REASONS[reason];
  }
  stop(): void {}
  close(): void {}

  /** A record about a packet: the `sequence`-th of lane `origin`. */
  tell(what: keyof typeof LATER, fields: Partial<LaterRecord> = {}): void {
    this.onLater(Object.assign(new LaterRecord(), { what: LATER[what], ...fields }));
  }

  /** Packet `sequence` of lane `origin` reached a stage. */
  stamp(stage: StageName, origin: number, sequence: number, time: number, cpu = origin): void {
    this.tell('stamp', { stage: stageIndex(stage), origin, sequence, time, cpu });
  }
}
