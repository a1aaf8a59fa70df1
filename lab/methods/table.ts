/** What `rxstamp compare` found on several kernels, as Markdown: what docs/methods.md holds between its markers. Pure. */
import { spanText } from '../../src/base/time.js';
import type { CompareReport, Lost, MethodReport, PacketReport } from '../../src/compare/report.js';
import { isMeasured } from '../../src/compare/verdict.js';

/** Around the generated part of docs/methods.md. */
export const MARKS = {
  begin: '<!-- npm run lab:methods writes from here -->',
  end: '<!-- to here -->',
} as const;

/** The kernels that the page compares on, by their names in the lab. */
export const METHOD_KERNELS: readonly string[] = ['6.1', '6.12', '7'];

/** One kernel's comparison. */
export interface KernelReport {
  readonly kernel: string;
  readonly report: CompareReport;
}

const NOTHING = '–';
const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
const cellText = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [row(head), row(head.map(() => '---')), ...rows.map((cells) => row(cells.map(cellText)))].join('\n');
}

const sum = (lost: Lost): number => Object.values(lost).reduce((total, count) => total + count, 0);

function companyText({ company }: MethodReport): string {
  if (company === undefined || company.interrupts === 0) return NOTHING;
  const counted = sum(company.lost);
  return `${company.seen} of ${company.interrupts}${counted > 0 ? `, ${counted} counted as lost` : ''}`;
}

function methodRow(one: MethodReport): string[] {
  const { together, cost, bpf } = one;
  if (one.impossible !== undefined) return [`\`${one.method}\``, `not here: ${one.impossible}`];
  const later = together?.later;
  return [
    `\`${one.method}\``,
    one.hook ?? NOTHING,
    one.stage === undefined ? NOTHING : `\`${one.stage}\``,
    later === undefined ? NOTHING : spanText(later.median),
    later === undefined ? NOTHING : spanText(later.p99),
    together === undefined ? NOTHING : `${together.matched} of ${together.matched + together.missing}`,
    together === undefined ? NOTHING : String(sum(together.lost)),
    cost === undefined
      ? NOTHING
      : isMeasured(cost)
        ? spanText(cost.perInterrupt.median)
        : `< ${spanText(cost.noise)}`,
    bpf === undefined ? NOTHING : spanText(bpf.perInterruptNs),
    companyText(one),
  ];
}

const HEAD = [
  'method',
  'hook',
  'stage',
  'later than the earliest, median',
  'p99',
  'interrupts seen',
  'lost, counted',
  'CPU per interrupt',
  'of that in BPF',
  'beside a slow kprobe program',
];

function packetRow({ method, stage, packets, matched, afterDriver, afterInterrupt }: PacketReport): string[] {
  return [
    `\`${method}\``,
    `\`${stage}\``,
    `${matched} of ${packets}`,
    afterDriver === undefined ? NOTHING : spanText(afterDriver.median),
    afterInterrupt === undefined ? NOTHING : spanText(afterInterrupt.median),
  ];
}

const PACKET_HEAD = [
  'method',
  'stage',
  'packets matched',
  'behind the driver’s hand-over, median',
  'behind the interrupt, median',
];

function kernelText({ kernel, report }: KernelReport): string {
  const rows = report.methods.map((one) => {
    const cells = methodRow(one);
    return [...cells, ...HEAD.slice(cells.length).map(() => '')];
  });
  const notes = report.methods.flatMap(({ method, notes: its }) =>
    its.map((note) => `- \`${method}\`: ${note}`),
  );
  return [
    `### ${kernel}: Linux ${report.kernel}`,
    `${report.target}; ${report.interrupts.seen} interrupts, matched one to one with \`${report.interrupts.reference}\`.`,
    table(HEAD, rows),
    ...(report.packets.length === 0 ? [] : [table(PACKET_HEAD, report.packets.map(packetRow))]),
    ...(notes.length === 0 ? [] : [notes.join('\n')]),
    report.verdict.map((sentence) => `> ${sentence}`).join('\n>\n'),
  ].join('\n\n');
}

/** What methods say of themselves, the same on every kernel: from the newest report. */
function factsText({ methods }: CompareReport): string {
  return table(
    ['method', 'what it is', 'filters in the kernel', 'needs', 'since', 'lost events'],
    methods.map(({ method, sentence, filters, needs, loss }) => [
      `\`${method}\``,
      sentence,
      Object.entries(filters)
        .map(([by, how]) => `${by}: ${how}`)
        .join('; ') || 'nothing',
      `${needs.privileges}; ${needs.kernel}`,
      needs.since,
      loss,
    ]),
  );
}

/** The parts of a page about one kernel each, by its name in the lab. */
export function kernelParts(page: string): Map<string, string> {
  const parts = page.matchAll(/^### (\S+): [^]*?(?=^##)/gm);
  return new Map([...parts].map(([text, kernel]) => [kernel as string, text.trim()]));
}

/**
 * The generated part, markers not included.
 * @param before what the page says of kernels that were compared earlier
 */
export function methodsText(
  reports: readonly KernelReport[],
  version: string,
  before: ReadonlyMap<string, string> = new Map(),
): string {
  const last = reports.at(-1);
  if (last === undefined) throw new RangeError('no kernel was compared');
  const parts = new Map([...before, ...reports.map((one) => [one.kernel, kernelText(one)] as const)]);
  const kernels = [...METHOD_KERNELS, ...[...parts.keys()].filter((name) => !METHOD_KERNELS.includes(name))];
  return [
    `rxstamp ${version}, in the lab: igb with two queues, two emulated CPUs. Times are those of an emulated CPU, good for order and proportion; a CPU time per interrupt also has what the emulator takes to translate code that a method has patched, and, as the CPUs take turns, what one waits for the other, which a p99 has too.`,
    '## Measured, kernel by kernel',
    ...kernels.map((kernel) => parts.get(kernel)).filter((text) => text !== undefined),
    '## The methods',
    factsText(last.report),
  ].join('\n\n');
}

/** The page with its generated part replaced. Throws RangeError when the page has no place for it. */
export function withMethods(page: string, text: string): string {
  const [from, to] = [page.indexOf(MARKS.begin), page.indexOf(MARKS.end)];
  if (from < 0 || to < from) throw new RangeError('docs/methods.md has lost its markers');
  return `${page.slice(0, from + MARKS.begin.length)}\n\n${text}\n\n${page.slice(to)}`;
}
