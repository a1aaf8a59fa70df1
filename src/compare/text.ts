/** A comparison as a table for people. Pure. */
import { type Column, tableLines, wrap } from '../base/table.js';
import { spanText } from '../base/time.js';
import { isMeasured } from './verdict.js';
import type { CompareReport, Lost, MethodReport, PacketReport } from './report.js';

const WIDTH = 118;
const INDENT = '  ';

const METHODS: readonly Column[] = [
  { title: 'method' },
  { title: 'stage' },
  { title: 'later', right: true },
  { title: 'p99', right: true },
  { title: 'seen', right: true },
  { title: 'missing', right: true },
  { title: 'lost, counted', right: true },
  { title: 'cost', right: true },
  { title: 'in BPF', right: true },
  { title: 'in company', right: true },
];

const sum = (lost: Lost): number => Object.values(lost).reduce((total, count) => total + count, 0);

function companyCell({ company }: MethodReport): string {
  if (company === undefined || company.interrupts === 0) return '';
  const counted = sum(company.lost);
  return `${company.seen}/${company.interrupts}${counted > 0 ? ` (${counted} lost)` : ''}`;
}

/** What is below the noise was not measured. */
function costCell({ cost }: MethodReport): string {
  if (cost === undefined) return '';
  return isMeasured(cost) ? spanText(cost.perInterrupt.median) : `< ${spanText(cost.noise)}`;
}

function methodRow(one: MethodReport): readonly string[] {
  const { together, bpf } = one;
  return [
    one.method,
    one.stage ?? '',
    together?.later === undefined ? '-' : spanText(together.later.median),
    together?.later === undefined ? '-' : spanText(together.later.p99),
    together === undefined ? '-' : String(together.matched),
    together === undefined ? '-' : String(together.missing),
    together === undefined ? '-' : String(sum(together.lost)),
    costCell(one),
    bpf === undefined ? '' : spanText(bpf.perInterruptNs),
    companyCell(one),
  ];
}

const PACKETS: readonly Column[] = [
  { title: 'method' },
  { title: 'stage' },
  { title: 'packets', right: true },
  { title: 'matched', right: true },
  { title: 'behind driver', right: true },
  { title: 'p99', right: true },
  { title: 'behind interrupt', right: true },
  { title: 'p99', right: true },
  { title: 'hook' },
];

function packetRow(one: PacketReport): readonly string[] {
  const { afterDriver, afterInterrupt } = one;
  return [
    one.method,
    one.stage,
    String(one.packets),
    String(one.matched),
    afterDriver === undefined ? '-' : spanText(afterDriver.median),
    afterDriver === undefined ? '-' : spanText(afterDriver.p99),
    afterInterrupt === undefined ? '-' : spanText(afterInterrupt.median),
    afterInterrupt === undefined ? '-' : spanText(afterInterrupt.p99),
    one.hook,
  ];
}

const NEEDS: readonly Column[] = [
  { title: 'method' },
  { title: 'filters in the kernel by' },
  { title: 'since' },
  { title: 'needs' },
];

const needsRow = ({ method, filters, needs }: MethodReport): readonly string[] => [
  method,
  Object.keys(filters).join(', ') || 'nothing',
  needs.since,
  `${needs.privileges}; ${needs.kernel}`,
];

/** The lines of a report. */
export function compareText(report: CompareReport): string[] {
  const { methods, packets, interrupts } = report;
  const possible = methods.filter(({ impossible }) => impossible === undefined);
  const lines = [`${report.target} · Linux ${report.kernel} · ${report.cpus} CPUs`];
  if (interrupts.reference !== undefined) {
    lines.push(
      `${interrupts.seen} interrupts that ${interrupts.reference} saw, matched one to one`,
      '',
      ...tableLines(METHODS, possible.filter(({ stage }) => stage !== undefined).map(methodRow)),
    );
  }
  if (packets.length > 0) lines.push('', ...tableLines(PACKETS, packets.map(packetRow)));
  if (possible.length > 0) lines.push('', ...tableLines(NEEDS, possible.map(needsRow)));
  const hooks = possible.filter(({ hook }) => hook !== undefined);
  if (hooks.length > 0) lines.push('', ...hooks.map(({ method, hook }) => `${method}: ${hook}`));
  const impossible = methods.filter((one) => one.impossible !== undefined);
  for (const one of impossible) lines.push(...wrap(`no ${one.method}: ${one.impossible}`, WIDTH, INDENT));
  const notes = methods.flatMap(({ method, notes: its }) => its.map((note) => `${method}: ${note}`));
  for (const note of notes) lines.push(...wrap(`note: ${note}`, WIDTH, INDENT));
  if (report.coarse)
    lines.push('note: this kernel tells its idle time in hundredths of a second only: costs are coarse');
  return [...lines, '', ...report.verdict.flatMap((sentence) => wrap(sentence, WIDTH, INDENT))];
}
