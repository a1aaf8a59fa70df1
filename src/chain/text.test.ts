import { describe, expect, it } from 'vitest';
import type { ChainFunction, StackDocument } from './document.js';
import { listedReason } from './hookable.js';
import { stackText } from './text.js';

const yes = { possible: true, reason: null };
const no = (reason: string) => ({ possible: false, reason });
const entry = (name: string, change: Partial<ChainFunction> = {}): ChainFunction => ({
  function: name,
  offset: 0x10,
  origin: 'vmlinux',
  file: null,
  fentry: yes,
  kprobe: yes,
  tracepoint: null,
  after: { medianNs: 1500, leastNs: 1000, mostNs: 2000, interrupts: 9 },
  ...change,
});
const document: StackDocument = {
  schema: 'rxstamp.stack/1',
  kernel: '6.12',
  irq: 26,
  actions: ['eth0-rx-0'],
  interface: 'eth0',
  cpu: 1,
  vector: 0x24,
  handler: { name: 'igb_msix_ring', module: 'igb', thread: false },
  by: 'fentry igb_msix_ring',
  frames: [
    entry('igb_msix_ring', { origin: 'igb', file: '/lib/modules/6.12/igb.ko' }),
    entry('common_interrupt', { fentry: no('noinstr'), kprobe: no('noinstr'), after: null }),
    entry('asm_common_interrupt', { fentry: no('noinstr'), kprobe: no('blacklisted'), after: null }),
  ],
  entered: true,
  hardInterrupt: [],
  before: [entry('irq_enter_rcu', { offset: null })],
  interrupted: ['do_idle'],
  missing: [{ name: 'do_IRQ', why: 'gone' }],
  measured: { interrupts: 9, irqs: [26, 27], earliest: 'irq_enter_rcu', tracepoint: null, hookNs: 120 },
  notes: [],
};

describe('stack as text', () => {
  const text = stackText(document);

  it('has a line per function, with what can hang on it and when it is entered', () => {
    expect(text.find((line) => line.startsWith('igb_msix_ring+0x10'))).toMatch(/igb +yes +yes +\+1\.500$/);
    expect(text.find((line) => line.includes('← common_interrupt'))).toMatch(/no \[a\] +no \[a\] +-$/);
    expect(text.find((line) => line.includes('← asm_common_interrupt'))).toMatch(/no \[a\] +no \[b\]/);
    expect(text).toEqual(expect.arrayContaining(['[a]: noinstr', '[b]: blacklisted']));
  });

  it('says how it was measured, and of how many', () => {
    expect(text.find((line) => line.startsWith('µs after'))).toMatch(
      /irq_enter_rcu.*9 interrupts of IRQ 26, 27, .*120 ns apart/,
    );
  });

  it('has no word of times where nothing was timed', () => {
    expect(stackText({ ...document, measured: null }).join('\n')).not.toContain('medians');
  });

  it('names the module’s file, what was interrupted and what is not there', () => {
    expect(text).toEqual(
      expect.arrayContaining([
        'igb: /lib/modules/6.12/igb.ko',
        'it interrupted: do_idle',
        'not there: do_IRQ: gone',
      ]),
    );
  });
});

describe('why a function takes no hook', () => {
  const lists = {
    blacklist: new Set(['common_interrupt']),
    traceable: new Set(['handle_edge_irq']),
    sections: [{ name: 'noinstr', from: 100n, to: 200n }],
  };

  it('is told by the kernel’s own lists', () => {
    expect(listedReason({ name: 'common_interrupt', address: 150n, module: undefined }, lists)).toBe(
      'noinstr (.noinstr.text), in kprobes/blacklist, not in available_filter_functions',
    );
    expect(
      listedReason({ name: 'handle_edge_irq', address: 300n, module: undefined }, lists),
    ).toBeUndefined();
  });

  it('is not told by lists that cannot be read', () => {
    const none = { blacklist: undefined, traceable: undefined, sections: [] };
    expect(
      listedReason({ name: 'common_interrupt', address: 150n, module: undefined }, none),
    ).toBeUndefined();
  });
});
