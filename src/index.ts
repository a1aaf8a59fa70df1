/**
 * The library face of rxstamp: what the command line is made of, for programs. Re-exports only.
 * @example
 * const session = EbpfSession.start({ ...options });
 * const joiner = new Joiner(session, 'driver');
 * const cursor = new PacketCursor();
 * session.drain();
 * joiner.begin(false);
 * while (joiner.next(cursor, false)) console.log(timeline.bigint(cursor.arrival), flowText(readFlow(cursor.lane, cursor.row)));
 * joiner.end();
 * @module
 */
export { CODES, EXIT, type ErrorCode, RxError } from './base/errors.js';
export { Timeline, deltaText, spanText } from './base/time.js';
export { EbpfSession, type EbpfOptions } from './method/ebpf/session.js';
export type { IrqRole, Nic, NicIrq } from './nic/nic.js';
export { defaultRouteInterface, listNics, nicOfIrq, resolveNic } from './nic/resolve.js';
export {
  type ArrivalFacts,
  GROUNDS,
  HOW,
  HOW_NAMES,
  type How,
  type IrqFacts,
  NO_FACTS,
  PacketCursor,
  RULES,
  type Rule,
  VIA_NAMES,
} from './packet/arrival.js';
export { type Flow, flowText, parseFlow, readFlow } from './packet/flow.js';
export { Joiner, type JoinerOptions } from './packet/join.js';
export { FATE, Lane, packetId } from './record/lane.js';
export { LATER, LaterRecord } from './record/later.js';
export { LOSS_CAUSES, type Loss, type LossCause, LossLedger } from './record/loss.js';
export type { InterruptRecord, RecordSource, StageWay } from './record/source.js';
export { FORMATS, type FormatName } from './report/format/index.js';
export { Selection, type SlowerThan, type Stopped, type Wanted } from './packet/selection.js';
export type { Format, TraceMeta } from './report/format/format.js';
export { type Lookups, NO_LOOKUPS } from './report/lookups.js';
export { Merges } from './report/merges.js';
export { type Step, stepsOf, totalOf } from './report/steps.js';
export { Summary } from './report/summary.js';
export {
  HOOKED_STAGES,
  STAGES,
  STAGE_NAMES,
  type Stage,
  type StageName,
  isStage,
  stageIndex,
} from './stages.js';
export { clockOffset } from './sys/clock.js';
