/** `rxstamp irqs` as text. */
import { tableLines } from '../base/table.js';
import type { IrqReport, IrqsDocument, NicReport } from './irq-report.js';

const UNKNOWN = '?';

/** Counts are shared by people and scripts: digits only, no unit letters. */
function rateText(rate: number | null): string {
  if (rate === null) return '';
  return rate > 0 && rate < 10 ? rate.toFixed(1) : String(Math.round(rate));
}

function handlerText(irq: IrqReport): string {
  if (irq.handlers === null) return UNKNOWN;
  return irq.handlers
    .map(({ handler, thread }) => (thread === null ? handler : `${handler} + thread ${thread}`))
    .join(', ');
}

function napiText({ napi, role }: IrqReport): string {
  if (napi === null) return role === 'other' ? '-' : UNKNOWN;
  return `${napi.id === 0 ? 'no id' : napi.id}${napi.threaded ? ' threaded' : ''}`;
}

/** Where the vector is now; an arrow when a new affinity waits for the next interrupt to take effect. */
function cpuText(irq: IrqReport): string {
  const cpu = irq.vectorCpu ?? irq.effectiveCpu;
  return cpu === null ? UNKNOWN : String(cpu);
}

function cells(irq: IrqReport): string[] {
  return [
    String(irq.irq),
    irq.queue === null ? (irq.role.startsWith('rx') ? UNKNOWN : '-') : String(irq.queue),
    irq.role,
    irq.actions.join(', '),
    irq.vector === null ? UNKNOWN : `0x${irq.vector.toString(16)}`,
    cpuText(irq),
    irq.affinity === '' ? UNKNOWN : irq.affinity,
    irq.trigger ?? UNKNOWN,
    handlerText(irq),
    napiText(irq),
    String(irq.count),
    rateText(irq.rate),
  ];
}

const COLUMNS = [
  { title: 'IRQ', right: true },
  { title: 'queue', right: true },
  { title: 'role' },
  { title: 'name' },
  { title: 'vector' },
  { title: 'CPU', right: true },
  { title: 'may use' },
  { title: 'trigger' },
  { title: 'handler' },
  { title: 'NAPI' },
  { title: 'count', right: true },
  { title: 'per s', right: true },
] as const;

function headline(nic: NicReport): string {
  const queues = nic.rxQueues === 1 ? '1 receive queue' : `${nic.rxQueues} receive queues`;
  const chips = [...new Set(nic.irqs.map((irq) => irq.chip))].join(', ');
  return [
    [nic.name, nic.driver, nic.bus].filter((part) => part !== null).join(' '),
    `ifindex ${nic.ifindex}`,
    queues,
    chips,
  ].join(' · ');
}

/** Lines for stdout, and why things are not known for stderr (each reason once). */
export function irqsText(document: IrqsDocument): { readonly data: string[]; readonly notes: string[] } {
  const data: string[] = [];
  for (const nic of document.interfaces) {
    if (nic.irqs.length === 0) {
      data.push(nic.noIrqs ?? nic.name);
      continue;
    }
    if (data.length > 0) data.push('');
    data.push(headline(nic), ...tableLines(COLUMNS, nic.irqs.map(cells)));
  }
  const reasons = new Map<string, Set<string>>();
  for (const irq of document.interfaces.flatMap((nic) => nic.irqs)) {
    for (const [field, why] of Object.entries(irq.unknown)) {
      reasons.set(why, (reasons.get(why) ?? new Set()).add(field));
    }
  }
  return { data, notes: [...reasons].map(([why, fields]) => `${UNKNOWN} ${[...fields].join(', ')}: ${why}`) };
}
