import { describe, expect, it } from 'vitest';
import { HOOKED_STAGES } from '../../src/stages.js';
import { CELLS } from './cells.js';
import type { CellResult } from './result.js';
import { MARKS, kernelsDocProblems, matrixText, spanText, withMatrix } from './table.js';

function result(kernel: string, nic: string): CellResult {
  const old = kernel === '5.10';
  return {
    kernel,
    nic,
    release: `${kernel}.1-amd64`,
    driver: nic.split(',')[0] ?? '',
    failures: [],
    udp: { sent: 1000, seen: 1000 },
    tcp: { sent: 723, seen: 723, bytes: 1_048_576 },
    packets: 1723,
    ways: HOOKED_STAGES.map(({ name }) =>
      old && name === 'poll'
        ? { stage: name, reasons: ['no __napi_poll | here'] }
        : { stage: name, hook: `by ${name}`, reasons: [] },
    ),
    stamped: { entry: 1700, driver: 1723 },
    classes: {
      batch: { count: 3, certain: 3, width: 2_345_678 },
      polled: { count: 1720, certain: 0, width: null },
    },
    fates: { read: 1000, merged: 700 },
    seconds: 12,
  };
}

const versions = { rxstamp: '0.1.0', qemu: '10.0.2' };
const page = `# Kernels\n\n${MARKS.begin}\nold\n${MARKS.end}\n\nend\n`;
const all = CELLS.map(({ kernel, nic }) => result(kernel, nic));

describe('matrixText', () => {
  it('has a row per cell with counts, classes and widths', () => {
    const text = matrixText([result('6.12', 'igb')], versions);
    expect(text).toContain(
      '| 6.12 | igb | ok | 1000 of 1000 | 723 of 723, 1048576 bytes read | 1720 polled, 3 batch | batch 2.35 ms | 1000 read, 700 merged |',
    );
    expect(text).toContain('QEMU 10.0.2. 1 of 1 cells are ok.');
  });

  it('shows a failure as one', () => {
    const text = matrixText([{ ...result('6.12', 'igb'), failures: ['a|b', 'c'] }], versions);
    expect(text).toContain(String.raw`| **FAILED**: a\|b; c |`);
    expect(text).toContain('0 of 1 cells are ok');
  });

  it('tells hooks once per kernel, and NICs apart where they differ', () => {
    const same = matrixText([result('5.10', 'igb'), result('5.10', 'e1000e')], versions);
    expect(same).toContain(String.raw`| ${'`poll`'} | – (no __napi_poll \| here) |`);
    const other = matrixText([result('5.10', 'igb'), { ...result('5.10', 'e1000e'), ways: [] }], versions);
    expect(other).toContain('igb: by driver; e1000e: not asked for');
  });
});

describe('kernelsDocProblems', () => {
  it('takes the page that a whole run writes, again and again', () => {
    const once = withMatrix(page, matrixText(all, versions));
    expect(kernelsDocProblems(once)).toEqual([]);
    expect(withMatrix(once, matrixText(all, versions))).toBe(once);
    expect(once.endsWith('\n\nend\n')).toBe(true);
  });

  it.each([
    ['a cell less', withMatrix(page, matrixText(all.slice(1), versions)), /table of cells/],
    ['no generated part', page, /table of cells/],
    [
      'a stage that is new',
      withMatrix(page, matrixText(all, versions).replaceAll('| `stack` |', '| `other` |')),
      /hooks|stamps/,
    ],
    ['no markers', '# Kernels', /markers/],
  ])('refuses a page with %s', (_what, text, why) => {
    expect(kernelsDocProblems(text).join('\n')).toMatch(why);
  });
});

describe('spanText', () => {
  it('has three digits and a unit', () => {
    expect([950, 12_345, 2_345_678, 1_234_567_890].map(spanText)).toEqual([
      '950 ns',
      '12.3 µs',
      '2.35 ms',
      '1.23 s',
    ]);
  });
});
