/** The matrix as Markdown: what docs/kernels.md holds between its markers. Pure. */
import { HOOKED_STAGES, type StageName } from '../../src/stages.js';
import { CELLS, type Cell, modelOf } from './cells.js';
import type { CellResult, ClassFacts } from './result.js';

/** Around the generated part of docs/kernels.md. */
export const MARKS = {
  begin: '<!-- npm run lab:matrix writes from here -->',
  end: '<!-- to here -->',
} as const;

/** What the results were got with. */
export interface Versions {
  readonly rxstamp: string;
  readonly qemu: string;
}

const NOTHING = '–';

const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [row(head), row(head.map(() => '---')), ...rows.map(row)].join('\n');
}

/** A span with three digits: `1.23 ms`. */
export function spanText(ns: number): string {
  const [value, unit] =
    ns < 1e3 ? [ns, 'ns'] : ns < 1e6 ? [ns / 1e3, 'µs'] : ns < 1e9 ? [ns / 1e6, 'ms'] : [ns / 1e9, 's'];
  return `${Number(value.toPrecision(3))} ${unit}`;
}

/** Escapes what would end a cell of a table. */
const cellText = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

function classText(classes: Readonly<Record<string, ClassFacts>>): string {
  const names = Object.keys(classes).sort((a, b) => (classes[b]?.count ?? 0) - (classes[a]?.count ?? 0));
  return names.map((name) => `${classes[name]?.count} ${name}`).join(', ') || NOTHING;
}

function widthText(classes: Readonly<Record<string, ClassFacts>>): string {
  const texts = Object.entries(classes).flatMap(([name, { width }]) =>
    width === null ? [] : [`${name} ${spanText(width)}`],
  );
  return texts.sort().join(', ') || NOTHING;
}

const countText = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts)
    .sort(([, a], [, b]) => b - a)
    .map(([name, count]) => `${count} ${name}`)
    .join(', ') || NOTHING;

const HEAD = [
  'kernel',
  'NIC',
  'result',
  'UDP datagrams seen',
  'TCP frames seen',
  'how they arrived',
  'width of the bounds, median',
  'how their ways ended',
] as const;

function resultRow(result: CellResult): string[] {
  const { kernel, nic, failures, udp, tcp, classes, fates } = result;
  return [
    kernel,
    nic,
    failures.length === 0 ? 'ok' : `**FAILED**: ${cellText(failures.join('; '))}`,
    `${udp.seen} of ${udp.sent}`,
    `${tcp.seen} of ${tcp.sent}, ${tcp.bytes} bytes read`,
    classText(classes),
    widthText(classes),
    countText(fates),
  ];
}

/** How a kernel reaches a stage, the same for all of its NICs or told apart. */
function hookText(results: readonly CellResult[], stage: StageName): string {
  const byHook = new Map<string, string[]>();
  for (const { nic, ways } of results) {
    const way = ways.find((one) => one.stage === stage);
    const text =
      way === undefined
        ? 'not asked for'
        : (way.hook ?? `${NOTHING} (${way.reasons.join('; ') || 'no reason given'})`);
    byHook.set(text, [...(byHook.get(text) ?? []), modelOf(nic)]);
  }
  const texts = [...byHook].map(([text, nics]) => (byHook.size === 1 ? text : `${nics.join(', ')}: ${text}`));
  return cellText(texts.join('; ')) || NOTHING;
}

function stampedRow({ kernel, nic, packets, stamped }: CellResult): string[] {
  return [kernel, nic, String(packets), ...HOOKED_STAGES.map(({ name }) => String(stamped[name] ?? NOTHING))];
}

const STAMPS_HEAD = ['kernel', 'NIC', 'packets', ...HOOKED_STAGES.map(({ name }) => `\`${name}\``)];

const unique = (texts: readonly string[]): string =>
  [...new Set(texts.filter((text) => text !== ''))].join(', ');

/** The generated part, markers not included. */
export function matrixText(results: readonly CellResult[], versions: Versions): string {
  const kernels = [...new Set(results.map(({ kernel }) => kernel))];
  const of = (kernel: string): CellResult[] => results.filter((result) => result.kernel === kernel);
  const failed = results.filter(({ failures }) => failures.length > 0).length;
  return [
    `rxstamp ${versions.rxstamp} in QEMU ${versions.qemu}. ${results.length - failed} of ${results.length} cells are ok.`,
    '## Cells',
    table(HEAD, results.map(resultRow)),
    '## Kernels and drivers',
    table(
      ['kernel', 'release', 'drivers'],
      kernels.map((kernel) => [
        kernel,
        unique(of(kernel).map(({ release }) => release)),
        unique(of(kernel).map(({ driver }) => driver)),
      ]),
    ),
    '## Hooks',
    table(
      ['stage', ...kernels],
      HOOKED_STAGES.map(({ name }) => [
        `\`${name}\``,
        ...kernels.map((kernel) => hookText(of(kernel), name)),
      ]),
    ),
    '## Packets with a stamp of each stage',
    table(STAMPS_HEAD, results.map(stampedRow)),
  ].join('\n\n');
}

/** The page with its generated part replaced. Throws RangeError when the page has no place for it. */
export function withMatrix(page: string, text: string): string {
  const [from, to] = [page.indexOf(MARKS.begin), page.indexOf(MARKS.end)];
  if (from < 0 || to < from) throw new RangeError('docs/kernels.md has lost its markers');
  return `${page.slice(0, from + MARKS.begin.length)}\n\n${text}\n\n${page.slice(to)}`;
}

/** What is wrong with the page's generated part: one sentence each. It must come from a run of all cells. */
export function kernelsDocProblems(page: string, cells: readonly Cell[] = CELLS): string[] {
  const [from, to] = [page.indexOf(MARKS.begin), page.indexOf(MARKS.end)];
  if (from < 0 || to < from) return ['the markers of the generated part are missing'];
  const lines = page.slice(from, to).split('\n');
  const rowsOf = (start: string): string[][] => {
    const at = lines.findIndex((line) => line.startsWith(start));
    const rows: string[][] = [];
    for (const line of at < 0 ? [] : lines.slice(at + 2)) {
      if (!line.startsWith('|')) break;
      rows.push(
        line
          .split(/(?<!\\)\|/)
          .slice(1, -1)
          .map((text) => text.trim()),
      );
    }
    return rows;
  };
  const problems: string[] = [];
  const wanted = cells.map(({ kernel, nic }) => `${kernel} ${nic}`);
  for (const [what, start] of [
    ['cells', row(HEAD)],
    ['stamps', row(STAMPS_HEAD)],
  ] as const) {
    const found = rowsOf(start).map(([kernel, nic]) => `${kernel} ${nic}`);
    if (found.join() !== wanted.join()) {
      problems.push(
        `the table of ${what} has ${found.length} rows of ${wanted.length}, or others, or old headings`,
      );
    }
  }
  const kernels = [...new Set(cells.map(({ kernel }) => kernel))];
  const hooks = rowsOf(row(['stage', ...kernels])).map(([stage]) => stage);
  const stages = HOOKED_STAGES.map(({ name }) => `\`${name}\``);
  if (hooks.join() !== stages.join())
    problems.push(`the table of hooks has not exactly the stages ${stages.join(' ')}`);
  return problems;
}
