import { describe, expect, it } from 'vitest';
import { type ExplainDocument, explainText } from './text.js';

const document: ExplainDocument = {
  schema: 'rxstamp.explain/1',
  kernel: '6.12',
  method: 'ebpf',
  sentence: 'programs',
  interfaces: [{ name: 'eth0', driver: 'igb', irqs: [{ irq: 31, actions: ['eth0-rx-0'] }] }],
  stages: [
    { stage: 'entry', hook: null, reasons: ['fentry irq_enter_rcu: EPERM'] },
    { stage: 'raise', hook: 'tracepoint softirq_raise', reasons: ['fentry napi_schedule_prep: EPERM'] },
  ],
  programs: [],
  equivalents: [
    {
      id: 'a',
      tool: 'trace-cmd',
      hook: 'tracepoint irq:irq_handler_entry',
      prepare: ['one'],
      run: 'two',
      read: ['three'],
      undo: ['four'],
      filters: 'irq',
      exact: true,
      caveats: ['slow'],
      package: 'trace-cmd',
      installed: false,
    },
  ],
  notes: [],
};

describe('explain as text', () => {
  const lines = explainText(document);

  it('gives the hook of each stage, and the reasons against better ones', () => {
    expect(lines).toEqual(
      expect.arrayContaining([
        'entry  not stamped',
        '         fentry irq_enter_rcu: EPERM',
        'raise  tracepoint softirq_raise',
        '         not fentry napi_schedule_prep: EPERM',
      ]),
    );
  });

  it('gives the lines of each tool in the order in which they are run', () => {
    const at = (text: string): number => lines.findIndex((line) => line.trim().startsWith(text));
    expect(at('one')).toBeGreaterThan(at('trace-cmd (apt-get install trace-cmd, not installed here)'));
    expect(at('two')).toBe(at('one') + 1);
    expect(at('three')).toBe(at('two') + 1);
    expect(at('four')).toBe(at('three') + 2);
    expect(lines.join('\n')).toContain('# mind: slow');
  });

  it('has no heading for tools without a line', () => {
    expect(explainText({ ...document, equivalents: [] }).join('\n')).not.toMatch(/other tools|trace-cmd/);
  });
});
