/** One line per packet, for people. Deltas are microseconds from the arrival, with all nanoseconds. */
import { interruptStart } from '../../record/source.js';
import { deltaText } from '../../base/time.js';
import { flowText, readFlow } from '../../packet/flow.js';
import { STAGES, stageIndex } from '../../stages.js';
import { NO_LOOKUPS } from '../lookups.js';
import { errorBar, fateText, howText, placeOf } from '../words.js';
import type { FormatMaker, TraceMeta } from './format.js';

const FLOW_WIDTH = 44;
const DELTA_WIDTH = 10;
const BAR_WIDTH = 14;
const HOW_WIDTH = 18;

/** Lines that say what is stamped and why not earlier; also used by the tree. */
export function headerLines(meta: TraceMeta): string[] {
  const lines = meta.interfaces.map((nic) => {
    const queues = nic.irqs.map(({ irq, role, queue, cpu }) => {
      const name = queue === undefined ? role : `${role}-${queue}`;
      return `${name} → IRQ ${irq}${cpu === undefined ? '' : ` (CPU ${cpu})`}`;
    });
    return `${nic.name}${nic.driver === undefined ? '' : ` ${nic.driver}`}: ${queues.join(', ') || 'no interrupts'}`;
  });
  const earliest = meta.ways.find((way) => way.hook !== undefined && way.stage !== 'hw');
  // Whatever the NIC stamps: it may be few packets, and the others begin where the kernel does.
  const nic = meta.ways
    .filter((way) => way.hook !== undefined && way.stage === 'hw')
    .map((way) => `hw: ${way.hook}`);
  const parts = [`earliest stamp: ${earliest?.stage} (${earliest?.hook})`, ...nic, ...missingStages(meta)];
  return [parts.join('; '), ...(meta.on === undefined ? [] : [meta.on]), ...lines];
}

/** The clock of the times, in words. */
export function clockWords({ clock: { name } }: TraceMeta): string {
  if (name === 'local') return 'local_clock (of the kernel: since boot, not steered)';
  if (name === 'unknown') return 'times as they were found: nothing tells of which clock';
  return `CLOCK_${name.toUpperCase()}`;
}

/** `no entry, poll: EPERM: …`: stages that fail for the same reason share it. All hooks by name are in NDJSON's meta. */
function missingStages(meta: TraceMeta): string[] {
  const byReason = new Map<string, { stages: string[]; full: string }>();
  for (const way of meta.ways) {
    if (way.hook !== undefined) continue;
    const full = way.reasons.join('; ');
    const reasons = way.reasons.map((reason) => reason.replace(/^(fentry|fexit|tracepoint) [^:]*: /, ''));
    const short = [...new Set(reasons)].join('; ');
    const same = byReason.get(short);
    if (same === undefined) byReason.set(short, { stages: [way.stage], full });
    else same.stages.push(way.stage);
  }
  return [...byReason].map(
    ([short, { stages, full }]) => `no ${stages.join(', ')}: ${stages.length === 1 ? full : short}`,
  );
}

/** claim: the hook that knows the vector; exit: the handler is done. NAPI: the instance it scheduled, where that is seen. */
const INTERRUPT_HEADING = [
  '#'.padStart(7),
  'time'.padEnd(20),
  'irq'.padStart(4),
  'vec'.padStart(5),
  'cpu'.padStart(3),
  'NAPI'.padStart(6),
  ...['claim', 'isr', 'exit'].map((word) => word.padStart(DELTA_WIDTH)),
].join(' ');

export const textFormat: FormatMaker = (timeline, stages, lookups = NO_LOOKUPS) => {
  const columns = stages.map((name) => stageIndex(name));
  // How a way ended is behind the stack; a trace that does not look there has nothing to say about it.
  const further = columns.some((index) => index > stageIndex('stack'));
  const heading = (): string =>
    [
      '#'.padStart(7),
      'arrival'.padEnd(20),
      '±'.padEnd(BAR_WIDTH),
      'how'.padEnd(HOW_WIDTH),
      'irq'.padStart(4),
      'vec'.padStart(5),
      'cpu'.padStart(3),
      'q'.padStart(2),
      'flow'.padEnd(FLOW_WIDTH),
      ...columns.map((index) => (STAGES[index]?.label ?? '').padStart(DELTA_WIDTH)),
      ...(further ? ['end of its way'] : []),
    ].join(' ');
  return {
    header(meta) {
      const columnLine = meta.filter['interrupts'] === true ? INTERRUPT_HEADING : heading();
      const clock = `${clockWords(meta)}, stage columns in µs from the arrival`;
      return `${[...headerLines(meta), clock, columnLine].join('\n')}\n`;
    },
    packet(cursor, number) {
      const place = placeOf(cursor);
      let line =
        `${`t${number}`.padStart(7)} ${timeline.text(cursor.arrival).padEnd(20)} ${errorBar(cursor).padEnd(BAR_WIDTH)} ` +
        `${howText(cursor).padEnd(HOW_WIDTH)} ` +
        `${place.irq.padStart(4)} ${place.vector.padStart(5)} ${place.cpu.padStart(3)} ${place.queue.padStart(2)} ` +
        flowText(readFlow(cursor.lane, cursor.row)).padEnd(FLOW_WIDTH);
      for (const index of columns) {
        const time = cursor.stage(index);
        line += ` ${(Number.isNaN(time) ? '-' : deltaText(time - cursor.arrival)).padStart(DELTA_WIDTH)}`;
      }
      return further ? `${line} ${fateText(cursor, lookups)}\n` : `${line}\n`;
    },
    interrupt(interrupt, number) {
      const start = interruptStart(interrupt);
      const after = (time: number): string =>
        (Number.isNaN(time) ? '-' : deltaText(time - start)).padStart(DELTA_WIDTH);
      const vector = interrupt.vector === 0 ? '-' : `0x${interrupt.vector.toString(16)}`;
      const irq = interrupt.irq < 0 ? '-' : String(interrupt.irq);
      const napi = interrupt.napiId === 0 ? '-' : String(interrupt.napiId);
      return (
        `${`i${number}`.padStart(7)} ${timeline.text(start).padEnd(20)} ${irq.padStart(4)} ` +
        `${vector.padStart(5)} ${(interrupt.cpu < 0 ? '-' : String(interrupt.cpu)).padStart(3)} ${napi.padStart(6)} ` +
        `${after(interrupt.claim)} ${after(interrupt.isr)} ${after(interrupt.exit)}\n`
      );
    },
    loss(loss) {
      const where = loss.cpu < 0 ? '' : ` on CPU ${loss.cpu}`;
      return `*** lost ${loss.count}: ${loss.cause}${where}, between ${timeline.text(loss.from)} and ${timeline.text(loss.to)}\n`;
    },
    summary(summary, ledger) {
      return `${[summary.text(ledger), ...summary.lossLines(ledger), ...summary.detailLines()].join('\n')}\n`;
    },
  };
};
