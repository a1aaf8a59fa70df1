/** Comma-separated values with one heading line. Times are whole nanoseconds; stage columns are differences. */
import { interruptStart } from '../../record/source.js';
import { HOW_NAMES } from '../../packet/arrival.js';
import { readFlow } from '../../packet/flow.js';
import { POLL } from '../../record/lane.js';
import { STAGE_NAMES, stageIndex } from '../../stages.js';
import type { FormatMaker } from './format.js';

export const csvFormat: FormatMaker = (timeline, stages) => {
  const columns = stages.map((name) => stageIndex(name));
  const interruptHeading = 'number,time_ns,irq,vector,cpu,napi,claim_ns,isr_ns,exit_ns';
  const packetHeading = [
    'number,arrival_ns,stage,how,k,n,irq,vector,irq_cpu,cpu,queue,length,family,protocol,source,source_port',
    'destination,destination_port,vlan',
    ...stages.map((stage) => `${stage}_ns`),
  ].join(',');
  const cell = (value: number | string | undefined): string =>
    value === undefined || Number.isNaN(value) ? '' : String(value);
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
        lane.cpu,
        queue === 0 ? undefined : queue - 1,
        packets.length[row],
        flow.family,
        flow.protocol,
        flow.source,
        flow.sourcePort,
        flow.destination,
        flow.destinationPort,
        flow.vlan,
        ...columns.map((index) => cursor.stage(index) - cursor.arrival),
      ];
      return `${cells.map(cell).join(',')}\n`;
    },
    interrupt(interrupt, number) {
      const start = interruptStart(interrupt);
      const cells = [
        number,
        timeline.nanoseconds(start),
        interrupt.irq,
        interrupt.vector || undefined,
        interrupt.cpu,
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
