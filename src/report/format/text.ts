/** One line per packet, for people. Deltas are microseconds from the arrival, with all nanoseconds. */
import { interruptStart } from '../../record/source.js';
import { deltaText } from '../../base/time.js';
import { GROUNDS, HOW, HOW_NAMES, type PacketCursor, type Rule, RULES } from '../../packet/arrival.js';
import { flowText, readFlow } from '../../packet/flow.js';
import { STAGES, stageIndex } from '../../stages.js';
import type { FormatMaker, TraceMeta } from './format.js';

const FLOW_WIDTH = 44;
const DELTA_WIDTH = 10;

/** `own-irq`, `batch 2/3`, `repoll 1/64`, `polled 1/3`, `busy-poll`, `no-irq`, `unknown`. */
export function howText(cursor: PacketCursor): string {
  switch (cursor.how) {
    case HOW.ownIrq:
      return cursor.n > 1 ? `own-irq 1/${cursor.n}` : 'own-irq';
    case HOW.batch:
      return `batch ${cursor.k}/${cursor.n}`;
    case HOW.repoll:
    case HOW.polled:
    case HOW.busyPoll: {
      const name = HOW_NAMES[cursor.how];
      return cursor.n > 1 ? `${name} ${cursor.k}/${cursor.n}` : name;
    }
    case HOW.noIrq:
    case HOW.unknown:
      return HOW_NAMES[cursor.how];
  }
}

/** Interrupt and place of a packet as text; `-` where it has none. */
export function placeOf(cursor: PacketCursor): { irq: string; vector: string; cpu: string; queue: string } {
  const { lane, row, poll } = cursor;
  const caused = poll >= 0 && (lane.polls.irq[poll] as number) !== 0;
  const vector = caused ? (lane.polls.vector[poll] as number) : 0; // 0 as well where no interrupt led to the poll
  const queue = lane.packets.queue[row] as number;
  return {
    irq: caused ? String(lane.polls.irq[poll]) : '-',
    vector: vector === 0 ? '-' : `0x${vector.toString(16)}`,
    cpu: String(lane.cpu),
    queue: queue === 0 ? '-' : String(queue - 1),
  };
}

/** Lines that say what is stamped and why not earlier; also used by the tree. */
export function headerLines(meta: TraceMeta): string[] {
  const lines = meta.interfaces.map((nic) => {
    const queues = nic.irqs.map(({ irq, role, queue, cpu }) => {
      const name = queue === undefined ? role : `${role}-${queue}`;
      return `${name} → IRQ ${irq}${cpu === undefined ? '' : ` (CPU ${cpu})`}`;
    });
    return `${nic.name}${nic.driver === undefined ? '' : ` ${nic.driver}`}: ${queues.join(', ') || 'no interrupts'}`;
  });
  const earliest = meta.ways.find((way) => way.hook !== undefined);
  const missed = meta.ways.filter((way) => way.hook === undefined);
  const reasons = missed.map((way) => `no ${way.stage}: ${way.reasons.join('; ')}`);
  const chain = `earliest stamp: ${earliest?.stage} (${earliest?.hook})${reasons.length > 0 ? `, ${reasons.join('; ')}` : ''}`;
  return [chain, ...lines, `CLOCK_${meta.clock.name.toUpperCase()}, stage columns in µs from the arrival`];
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

export const textFormat: FormatMaker = (timeline, stages) => {
  const columns = stages.map((name) => stageIndex(name));
  let grounds = new Set<Rule>();
  const heading = (): string =>
    [
      '#'.padStart(7),
      'arrival'.padEnd(20),
      'how'.padEnd(12),
      'irq'.padStart(4),
      'vec'.padStart(5),
      'cpu'.padStart(3),
      'q'.padStart(2),
      'flow'.padEnd(FLOW_WIDTH),
      ...columns.map((index) => (STAGES[index]?.label ?? '').padStart(DELTA_WIDTH)),
    ].join(' ');
  return {
    header(meta) {
      grounds = new Set();
      const columnLine = meta.filter['interrupts'] === true ? INTERRUPT_HEADING : heading();
      return `${[...headerLines(meta), columnLine].join('\n')}\n`;
    },
    packet(cursor, number) {
      const place = placeOf(cursor);
      grounds.add(cursor.rule);
      let line =
        `${`t${number}`.padStart(7)} ${timeline.text(cursor.arrival).padEnd(20)} ${howText(cursor).padEnd(12)} ` +
        `${place.irq.padStart(4)} ${place.vector.padStart(5)} ${place.cpu.padStart(3)} ${place.queue.padStart(2)} ` +
        flowText(readFlow(cursor.lane, cursor.row)).padEnd(FLOW_WIDTH);
      for (const index of columns) {
        const time = cursor.stage(index);
        line += ` ${(Number.isNaN(time) ? '-' : deltaText(time - cursor.arrival)).padStart(DELTA_WIDTH)}`;
      }
      return `${line}\n`;
    },
    interrupt(interrupt, number) {
      const start = interruptStart(interrupt);
      const after = (time: number): string =>
        (Number.isNaN(time) ? '-' : deltaText(time - start)).padStart(DELTA_WIDTH);
      const vector = interrupt.vector === 0 ? '-' : `0x${interrupt.vector.toString(16)}`;
      const napi = interrupt.napiId === 0 ? '-' : String(interrupt.napiId);
      return (
        `${`i${number}`.padStart(7)} ${timeline.text(start).padEnd(20)} ${String(interrupt.irq).padStart(4)} ` +
        `${vector.padStart(5)} ${String(interrupt.cpu).padStart(3)} ${napi.padStart(6)} ` +
        `${after(interrupt.claim)} ${after(interrupt.isr)} ${after(interrupt.exit)}\n`
      );
    },
    loss(loss) {
      const where = loss.cpu < 0 ? '' : ` on CPU ${loss.cpu}`;
      return `*** lost ${loss.count}: ${loss.cause}${where}, between ${timeline.text(loss.from)} and ${timeline.text(loss.to)}\n`;
    },
    summary(summary, ledger) {
      const why = [...grounds]
        .sort((a, b) => a - b)
        .map((rule) => `${HOW_NAMES[RULES[rule]!.how]}: ${GROUNDS[rule]}`);
      return `${[summary.text(ledger), ...summary.lossLines(ledger), ...why].join('\n')}\n`;
    },
  };
};
