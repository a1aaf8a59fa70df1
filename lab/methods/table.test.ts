import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { CompareReport } from '../../src/compare/report.js';
import { packageRoot } from '../../src/sys/package.js';
import { MARKS, METHOD_KERNELS, kernelParts, methodsText, withMethods } from './table.js';

const report = (kernel: string): CompareReport => ({
  tool: 'rxstamp',
  document: 'compare',
  version: '0',
  kernel,
  started: '',
  target: 'eth0 igb: IRQ 25',
  cpus: 2,
  interrupts: { reference: 'ebpf', seen: 10 },
  methods: [
    {
      method: 'ebpf',
      sentence: 'programs',
      stage: 'entry',
      hook: 'a | b',
      together: {
        matched: 9,
        missing: 1,
        extra: 0,
        later: { median: 10, p99: 20, of: 9 },
        lost: { missed: 1 },
      },
      filters: { irq: 'a table' },
      needs: { privileges: 'root', kernel: 'BTF', since: '5.10' },
      loss: 'counted',
      notes: ['mind this'],
    },
  ],
  packets: [],
  coarse: false,
  verdict: ['Use it.'],
});

const PAGE = `# Page\n\n${MARKS.begin}\n\n${MARKS.end}\n\nend\n`;

describe('the page of methods', () => {
  it('has a part for each kernel, and what methods say of themselves', () => {
    const text = methodsText([{ kernel: '6.12', report: report('6.12.1') }], '1.0');
    expect(text).toContain('### 6.12: Linux 6.12.1');
    expect(text).toContain('| `ebpf` | a \\| b | `entry` | 10 ns | 20 ns | 9 of 10 | 1 |');
    expect(text).toContain('> Use it.');
    expect(text).toContain('| `ebpf` | programs | irq: a table | root; BTF | 5.10 | counted |');
  });

  it('keeps what it said of the kernels that are not run again', () => {
    const first = withMethods(
      PAGE,
      methodsText(
        ['6.1', '7'].map((kernel) => ({ kernel, report: report(kernel) })),
        '1',
      ),
    );
    const again = withMethods(
      first,
      methodsText([{ kernel: '7', report: report('7.9') }], '1', kernelParts(first)),
    );
    expect([...kernelParts(again).keys()]).toEqual(['6.1', '7']);
    expect(again).toContain('### 6.1: Linux 6.1\n');
    expect(again).toContain('### 7: Linux 7.9\n');
    expect(again).not.toContain('### 7: Linux 7\n');
    expect(again.endsWith('end\n')).toBe(true);
  });

  it('is there for every kernel in docs/methods.md', () => {
    const page = readFileSync(join(packageRoot, 'docs/methods.md'), 'utf8');
    expect([...kernelParts(page).keys()]).toEqual(METHOD_KERNELS);
  });
});
