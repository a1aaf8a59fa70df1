import { describe, expect, it } from 'vitest';
import type { KernelFiles } from './files.js';
import { kprobeBlacklist, moduleFile, protectedSections, traceableFunctions } from './probe-files.js';
import { symbolize } from './symbols.js';

const files = (texts: Readonly<Record<string, string>>): KernelFiles =>
  ({ text: (path: string) => texts[path] }) as unknown as KernelFiles;

const KALLSYMS = `ffffffff81000000 T _stext
ffffffff81001000 t asm_call_irq_on_stack
ffffffff81001000 t asm_call_sysvec_on_stack
ffffffff81002000 D not_code
ffffffff81003000 T __noinstr_text_start
ffffffff81003010 t common_interrupt
ffffffff81004000 T __noinstr_text_end
ffffffffc0001000 t igb_msix_ring\t[igb]`;

describe('symbols', () => {
  const proc = files({ '/proc/kallsyms': KALLSYMS });

  it('name the function that an address is in, and the module', () => {
    expect(symbolize([0xffffffffc0001009n, 0xffffffff81003090n], proc)).toEqual({
      known: true,
      value: [
        { name: 'igb_msix_ring', offset: 9, module: 'igb' },
        { name: 'common_interrupt', offset: 0x80, module: undefined },
      ],
    });
  });

  it('take the first of several names, no data, and nothing that is too far away', () => {
    const found = symbolize([0xffffffff8100100fn, 0xffffffff81002004n, 0xffffffffd0000000n, 1n], proc);
    expect(found).toMatchObject({
      value: [
        { name: 'asm_call_irq_on_stack', offset: 0xf },
        { name: 'asm_call_irq_on_stack', offset: 0x1004 },
        undefined,
        undefined,
      ],
    });
  });

  it('are not guessed where the kernel hides its addresses', () => {
    const hidden = files({ '/proc/kallsyms': '0000000000000000 T a\n0000000000000000 t b' });
    expect(symbolize([1n], hidden)).toMatchObject({ known: false });
    expect(symbolize([1n], files({}))).toMatchObject({ known: false });
  });

  it('tell which code is protected', () => {
    expect(protectedSections(proc)).toEqual([
      { name: 'noinstr', from: 0xffffffff81003000n, to: 0xffffffff81004000n },
    ]);
  });
});

describe('lists of functions', () => {
  it('are read by name', () => {
    const lists = files({
      '/sys/kernel/debug/kprobes/blacklist':
        '0xffffffff81003010-0xffffffff81003100\tcommon_interrupt\n0xffffffff8101-0xffffffff8102\tirqentry_exit',
      '/sys/kernel/tracing/available_filter_functions': 'handle_edge_irq\nigb_msix_ring [igb]',
    });
    expect(kprobeBlacklist(lists)).toEqual(new Set(['common_interrupt', 'irqentry_exit']));
    expect(traceableFunctions(lists)).toEqual(new Set(['handle_edge_irq', 'igb_msix_ring']));
    expect(kprobeBlacklist(files({}))).toBeUndefined();
    expect(traceableFunctions(files({}))).toBeUndefined();
  });

  it('tell a module’s file, whose name may have dashes', () => {
    const dep = files({
      '/lib/modules/6.12/modules.dep':
        'kernel/drivers/net/virtio-net.ko.xz: kernel/a.ko.xz\nkernel/drivers/igb.ko.xz: kernel/dca.ko.xz',
    });
    expect(moduleFile('igb', '6.12', dep)).toBe('/lib/modules/6.12/kernel/drivers/igb.ko.xz');
    expect(moduleFile('virtio_net', '6.12', dep)).toBe(
      '/lib/modules/6.12/kernel/drivers/net/virtio-net.ko.xz',
    );
    expect(moduleFile('e1000e', '6.12', dep)).toBeUndefined();
  });
});
