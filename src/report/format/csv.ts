/** Comma-separated values with one heading line. Times are whole nanoseconds; stage columns are differences. */
import { interruptStart } from '../../record/source.js';
import { HOW_NAMES, type PacketCursor } from '../../packet/arrival.js';
import { readFlow } from '../../packet/flow.js';
import { FATE, POLL, UNKNOWN_BYTES } from '../../record/lane.js';
import { STAGE_NAMES, stageIndex } from '../../stages.js';
import { NO_LOOKUPS } from '../lookups.js';
import { FATE_NAMES, contextWords } from '../words.js';
import type { FormatMaker } from './format.js';

/** Names come from the kernel and from users: a comma or a quote in one must not move the columns. */
function quoted(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

const END_HEADING =
  'fate,woken_tid,reader_pid,reader_tid,reader_name,read_bytes,drop_reason,merged_into,merged_from';

export const csvFormat: FormatMaker = (timeline, stages, lookups = NO_LOOKUPS) => {
  const columns = stages.map((name) => stageIndex(name));
  const further = columns.some((index) => index > stageIndex('stack'));
  const interruptHeading = 'number,time_ns,irq,vector,cpu,napi,claim_ns,isr_ns,exit_ns';
  const packetHeading = [
    'number,arrival_ns,stage,how,k,n,irq,vector,irq_cpu,cpu,queue,length,family,protocol,source,source_port',
    'destination,destination_port,vlan,certain,not_before_ns,not_after_ns,via',
    ...stages.map((stage) => `${stage}_ns`),
    ...(further ? [END_HEADING] : []),
  ].join(',');
  const cell = (value: number | string | undefined): string =>
    value === undefined || Number.isNaN(value) ? '' : quoted(String(value));
  const endCells = (cursor: PacketCursor): (number | string | undefined)[] => {
    const { packets } = cursor.lane;
    const { row } = cursor;
    const fate = packets.fate[row] as number;
    const tid = packets.readerTid[row] as number;
    const read = fate === FATE.read || tid !== 0;
    const reason = packets.dropReason[row] as number;
    return [
      FATE_NAMES[fate],
      packets.wokenTid[row] || undefined,
      read ? packets.readerPid[row] : undefined,
      read ? tid : undefined,
      read ? lookups.task(tid) : undefined,
      read && packets.readBytes[row] !== UNKNOWN_BYTES ? packets.readBytes[row] : undefined,
      fate === FATE.dropped || reason !== 0 ? lookups.dropReason(reason) : undefined,
      fate === FATE.merged ? lookups.mergedInto(cursor) : undefined,
      lookups.mergedFrom(cursor).join(' '),
    ];
  };
  return {
    header: (meta) => `${meta.filter['interrupts'] === true ? interruptHeading : packetHeading}\n`,
    packet(cursor, number) {
      const { lane, row, poll } = cursor;
      const { packets, polls } = lane;
      const flow = readFlow(lane, row);
      const irq = poll < 0 ? 0 : (polls.irq[poll] as number);
      const caused = poll >= 0 && ((polls.flags[poll] as number) & POLL.CAUSED) !== 0;
      const vector = caused ? (polls.vector[poll] as number) : 0;
      const queue = packets.queue[row] as number;
      const cells = [
        number,
        timeline.nanoseconds(cursor.arrival),
        STAGE_NAMES[cursor.arrivalStage],
        HOW_NAMES[cursor.how],
        poll < 0 ? undefined : cursor.k,
        poll < 0 ? undefined : cursor.n,
        irq === 0 ? undefined : irq,
        vector === 0 ? undefined : vector,
        caused ? polls.irqCpu[poll] : undefined,
        lane.cpu < 0 ? undefined : lane.cpu,
        queue === 0 ? undefined : queue - 1,
        packets.length[row],
        flow.family,
        flow.protocol,
        flow.source,
        flow.sourcePort,
        flow.destination,
        flow.destinationPort,
        flow.vlan,
        cursor.certain ? 1 : 0,
        cursor.notBefore - cursor.arrival,
        cursor.notAfter - cursor.arrival,
        contextWords(cursor).join(' '),
        ...columns.map((index) => cursor.stage(index) - cursor.arrival),
        ...(further ? endCells(cursor) : []),
      ];
      return `${cells.map(cell).join(',')}\n`;
    },
    interrupt(interrupt, number) {
      const start = interruptStart(interrupt);
      const cells = [
        number,
        timeline.nanoseconds(start),
        interrupt.irq < 0 ? undefined : interrupt.irq,
        interrupt.vector || undefined,
        interrupt.cpu < 0 ? undefined : interrupt.cpu,
        interrupt.napiId || undefined,
        interrupt.claim - start,
        interrupt.isr - start,
        interrupt.exit - start,
      ];
      return `${cells.map(cell).join(',')}\n`;
    },
    loss: () => '',
    summary: () => '',
  };
};
