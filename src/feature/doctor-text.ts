/** `rxstamp doctor` as text: the verdict first, then hooks, machine, interface. */
import { wrap } from '../base/table.js';
import type { DoctorDocument } from './doctor.js';
import type { FeatureAnswer } from './engine.js';
import type { Level, NamedFinding } from './finding.js';
import { type StageReport, type WayReport, wayReason } from './hooks.js';

const MARKS: Readonly<Record<Level, string>> = { ok: 'ok', note: 'note', problem: 'PROBLEM', unknown: '?' };
const ANSWERS: Readonly<Record<FeatureAnswer['possible'], string>> = { yes: 'yes', no: 'no', unknown: '?' };
const COLORS: Readonly<Record<string, string>> = {
  ok: '32',
  yes: '32',
  note: '33',
  PROBLEM: '31;1',
  no: '33',
  '?': '36',
};

/** How to print. */
export interface TextStyle {
  readonly width: number;
  readonly color: boolean;
  /** Also what is in order, every way of every stage, and no cut. */
  readonly all: boolean;
}

/** Lines of the report. */
export function doctorText(document: DoctorDocument, style: TextStyle): string[] {
  const paint = (word: string, text: string): string =>
    style.color && COLORS[word] !== undefined ? `\u001b[${COLORS[word]}m${text}\u001b[0m` : text;
  const row = (mark: string, title: string, text: string): string[] => {
    const [first = '', ...rest] = wrap(text, Math.max(20, style.width - 33));
    return [
      `  ${paint(mark, mark.padEnd(7))}  ${title.padEnd(21)} ${first}`.trimEnd(),
      ...rest.map((line) => `${' '.repeat(33)}${line}`),
    ];
  };
  const finding = (one: NamedFinding): string[] => [
    ...row(MARKS[one.level], one.title, one.found),
    ...(one.effect === undefined ? [] : row('', '  effect', one.effect)),
    ...(one.cure === undefined ? [] : row('', '  cure', one.cure)),
    ...(one.undo === undefined ? [] : row('', '  undo', one.undo)),
  ];
  const told = new Set<string>();
  const findings = (group: NamedFinding['group']): string[] =>
    document.findings.filter((one) => one.group === group).flatMap(finding);
  const { verdict } = document;
  const lines = [
    ...wrap(paint(verdict.works ? 'ok' : 'PROBLEM', capital(verdict.sentence)), style.width),
    '',
    'stages',
    ...document.stages.flatMap((stage) =>
      shownWays(stage, style.all).flatMap((way) => wayRow(stage, way, row, told)),
    ),
    '',
    'machine',
    ...findings('machine'),
  ];
  return document.interface === null ? lines : [...lines, '', document.interface, ...findings('nic')];
}

/** Up to the first way that is open; the ways behind it do not matter unless all are wanted. */
function shownWays(stage: StageReport, all: boolean): readonly WayReport[] {
  const open = stage.ways.findIndex((way) => way.answer.possible === 'yes');
  return all || open < 0 ? stage.ways : stage.ways.slice(0, open + 1);
}

/** One row; a reason that stood above already is not told again. */
function wayRow(
  stage: StageReport,
  way: WayReport,
  row: (mark: string, title: string, text: string) => string[],
  told: Set<string>,
): string[] {
  const reasons = new Set(
    way.hooks.filter(({ answer }) => answer.possible !== 'yes').map(({ answer }) => answer.reason),
  );
  const fresh = [...reasons].some((reason) => !told.has(reason));
  for (const reason of reasons) told.add(reason);
  const why = wayReason(way);
  const tail = why === '' ? '' : fresh ? `: ${why}` : ': as above';
  return row(ANSWERS[way.answer.possible], stage.stage, `${way.label}${tail}`);
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
