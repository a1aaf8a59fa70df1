/**
 * One JSON object per line: `meta`, then `packet`, `interrupt` and `loss` lines, then `summary`. docs/ndjson.md and
 * docs/ndjson.schema.json describe it. Absolute times are whole nanoseconds in strings (they do not fit a double in
 * every clock), differences are integers.
 */
import { interruptStart } from '../../record/source.js';
import { GROUNDS, HOW_NAMES, type PacketCursor } from '../../packet/arrival.js';
import { type Flow, readFlow } from '../../packet/flow.js';
import { FATE, HARDWARE_STAGE, POLL, UNKNOWN_BYTES } from '../../record/lane.js';
import { STAGE_NAMES, stageIndex } from '../../stages.js';
import { type Lookups, NO_LOOKUPS } from '../lookups.js';
import { stepsOf, totalOf } from '../steps.js';
import { FATE_NAMES, contextWords } from '../words.js';
import type { FormatMaker } from './format.js';

/** Raised when a field changes its meaning or goes; new fields do not raise it. */
export const SCHEMA_VERSION = 1;

function flowJson(flow: Flow): string {
  return JSON.stringify(flow);
}

function irqJson(cursor: PacketCursor): string {
  const { polls } = cursor.lane;
  const { poll } = cursor;
  if (poll < 0 || (polls.irq[poll] as number) === 0) return '';
  const line = `,"irq":${polls.irq[poll]}`;
  if (((polls.flags[poll] as number) & POLL.CAUSED) === 0) return line;
  const vector = polls.vector[poll] as number;
  return `${line},"vector":${vector === 0 ? 'null' : vector},"irqCpu":${polls.irqCpu[poll]}`;
}

/** What the kernel's stamps alone would have said of a packet that the NIC stamped, from the comma on. */
function softwareJson(cursor: PacketCursor): string {
  if (cursor.arrivalStage !== HARDWARE_STAGE) return '';
  const { arrival, stage, notBefore, notAfter } = cursor.software;
  const relative = (time: number): number => time - cursor.arrival;
  const early = Number.isNaN(notBefore) ? null : relative(notBefore);
  return (
    `,"software":{"stage":"${STAGE_NAMES[stage]}","arrival":${relative(arrival)},` +
    `"notBefore":${early},"notAfter":${relative(notAfter)}}`
  );
}

/** How the packet's way ended, from the comma on. */
function endJson(cursor: PacketCursor, lookups: Lookups): string {
  const { packets } = cursor.lane;
  const { row } = cursor;
  const fate = packets.fate[row] as number;
  const task = (tid: number): string | null => lookups.task(tid) ?? null;
  let text = `,"fate":"${FATE_NAMES[fate]}"`;
  const woken = packets.wokenTid[row] as number;
  if (woken !== 0) text += `,"woken":${JSON.stringify({ tid: woken, name: task(woken) })}`;
  const tid = packets.readerTid[row] as number;
  // Of a packet that was merged it is told who read the one that it went into.
  if (fate === FATE.read || tid !== 0) {
    const bytes = packets.readBytes[row] as number;
    const taken = bytes === UNKNOWN_BYTES ? null : bytes;
    const reader = { pid: packets.readerPid[row], tid, name: task(tid), bytes: taken };
    text += `,"reader":${JSON.stringify(reader)}`;
  }
  const number = packets.dropReason[row] as number;
  if (fate === FATE.dropped || number !== 0)
    text += `,"dropReason":${JSON.stringify(lookups.dropReason(number) ?? null)}`;
  if (fate === FATE.merged) {
    text += `,"mergedInto":${lookups.mergedInto(cursor) ?? null}`;
  }
  const parts = lookups.mergedFrom(cursor);
  return parts.length === 0 ? text : `${text},"mergedFrom":[${parts.join(',')}]`;
}

export const ndjsonFormat: FormatMaker = (timeline, stages, lookups = NO_LOOKUPS) => {
  const columns = stages.map((name) => stageIndex(name));
  const further = columns.some((index) => index > stageIndex('stack'));
  const grounds = GROUNDS.map((ground) => JSON.stringify(ground));
  const relative = (time: number, from: number): number | null => (Number.isNaN(time) ? null : time - from);
  return {
    header: (meta) =>
      `${JSON.stringify({ type: 'meta', schema: SCHEMA_VERSION, tool: 'rxstamp', ...meta })}\n`,
    packet(cursor, number) {
      const { lane, row, poll } = cursor;
      const { packets, polls } = lane;
      const steps = stepsOf(cursor, columns);
      const stamps = steps.map(({ stage, time }) => `"${STAGE_NAMES[stage]}":${time - cursor.arrival}`);
      const deltas = steps.slice(1).map(({ stage, delta }) => `"${STAGE_NAMES[stage]}":${delta}`);
      const { arrival, notBefore, notAfter } = cursor;
      const context = contextWords(cursor);
      const batch =
        poll < 0
          ? ''
          : `,"batch":[${cursor.k},${cursor.n}],"napi":${polls.napiId[poll]},"pid":${polls.pid[poll]}`;
      const queue = packets.queue[row] as number;
      return (
        `{"type":"packet","number":${number},"arrival":"${timeline.nanoseconds(cursor.arrival)}",` +
        `"stage":"${STAGE_NAMES[cursor.arrivalStage]}","how":"${HOW_NAMES[cursor.how]}","certain":${cursor.certain},` +
        `"ground":${grounds[cursor.rule]},"notBefore":${relative(notBefore, arrival)},"notAfter":${notAfter - arrival},` +
        `"via":[${context.map((word) => `"${word}"`).join(',')}]${softwareJson(cursor)}` +
        `${batch}${irqJson(cursor)},"cpu":${lane.cpu < 0 ? 'null' : lane.cpu},"queue":${queue === 0 ? 'null' : queue - 1},` +
        `"length":${packets.length[row]},"flow":${flowJson(readFlow(lane, row))},"stages":{${stamps.join(',')}},` +
        `"deltas":{${deltas.join(',')}},"total":${totalOf(steps)}${further ? endJson(cursor, lookups) : ''}}\n`
      );
    },
    interrupt(interrupt, number) {
      const start = interruptStart(interrupt);
      const line = {
        type: 'interrupt',
        number,
        time: timeline.nanoseconds(start),
        stage: Number.isNaN(interrupt.entry) ? 'isr' : 'entry',
        irq: interrupt.irq < 0 ? null : interrupt.irq,
        vector: interrupt.vector === 0 ? null : interrupt.vector,
        cpu: interrupt.cpu < 0 ? null : interrupt.cpu,
        napi: interrupt.napiId === 0 ? null : interrupt.napiId,
        claim: relative(interrupt.claim, start),
        isr: relative(interrupt.isr, start),
        exit: relative(interrupt.exit, start),
      };
      return `${JSON.stringify(line)}\n`;
    },
    loss(loss) {
      const { cause, cpu, count } = loss;
      const span = { from: timeline.nanoseconds(loss.from), to: timeline.nanoseconds(loss.to) };
      return `${JSON.stringify({ type: 'loss', cause, cpu: cpu < 0 ? null : cpu, count, ...span })}\n`;
    },
    note: (time, change) =>
      `${JSON.stringify({ type: 'note', time: timeline.nanoseconds(time), ...change })}\n`,
    summary: (summary, ledger) => `${JSON.stringify({ type: 'summary', ...summary.json(ledger) })}\n`,
  };
};
