import { describe, expect, it } from 'vitest';
import { type Frame, cutChain, missingFunctions, tracepointOf } from './frames.js';

const frames = (text: string, modules: Readonly<Record<string, string>> = {}): Frame[] =>
  text.split(' ').map((name, i) => ({ address: BigInt(i + 1), name, offset: 1, module: modules[name] }));
const names = (chain: readonly Frame[]): string[] => chain.map(({ name }) => name);

const WAY = 'igb_msix_ring __handle_irq_event_percpu handle_irq_event handle_edge_irq __common_interrupt';
const IDLE = 'pv_native_safe_halt default_idle do_idle';

describe('a stack of an interrupt', () => {
  it('begins at the handler and ends at the CPU’s entry; the rest is what was interrupted', () => {
    const stack = frames(
      `bpf_prog_12_stack_fentry bpf_trampoline_34 ${WAY} common_interrupt asm_common_interrupt ${IDLE}`,
      { bpf_prog_12_stack_fentry: 'bpf', bpf_trampoline_34: 'bpf' },
    );
    const chain = cutChain(stack, 'igb_msix_ring');
    expect(names(chain.frames)).toEqual(`${WAY} common_interrupt asm_common_interrupt`.split(' '));
    expect(chain).toMatchObject({ entered: true, interrupted: IDLE.split(' ') });
  });

  it('of a tracepoint begins behind what called the program, named or not', () => {
    for (const own of [
      'bpf_prog_1_x bpf_trace_run2',
      '? bpf_trace_run2',
      'bpf_prog_1_x bpf_trace_run2 __traceiter_irq_handler_entry',
    ]) {
      const stack = frames(`${own} __handle_irq_event_percpu handle_irq_event asm_common_interrupt`);
      expect(names(cutChain(stack, 'igb_msix_ring').frames)).toEqual([
        '__handle_irq_event_percpu',
        'handle_irq_event',
        'asm_common_interrupt',
      ]);
    }
  });

  it('takes 5.10’s step onto the interrupt’s stack for a frame, not for the entry', () => {
    const stack = frames(
      'e1000_intr_msix_rx handle_edge_irq asm_call_irq_on_stack common_interrupt asm_common_interrupt',
    );
    expect(cutChain(stack, 'e1000_intr_msix_rx').frames).toHaveLength(5);
  });

  it('ends at the inner one where an interrupt came upon another entry', () => {
    const stack = frames(`${WAY} asm_common_interrupt rcu_core asm_sysvec_apic_timer_interrupt do_idle`);
    const chain = cutChain(stack, 'igb_msix_ring');
    expect(names(chain.frames).at(-1)).toBe('asm_common_interrupt');
    expect(chain.interrupted).toEqual(['rcu_core', 'asm_sysvec_apic_timer_interrupt', 'do_idle']);
  });

  it('of a thread reaches no entry', () => {
    const chain = cutChain(frames('igb_msix_ring irq_forced_thread_fn irq_thread kthread'), 'igb_msix_ring');
    expect(chain).toMatchObject({ entered: false, interrupted: [] });
    expect(chain.frames).toHaveLength(4);
  });

  it('does not look for BPF behind the entry', () => {
    const stack = frames('__handle_irq_event_percpu asm_common_interrupt bpf_prog_load __sys_bpf');
    expect(names(cutChain(stack, undefined).frames)).toEqual([
      '__handle_irq_event_percpu',
      'asm_common_interrupt',
    ]);
  });
});

describe('what is beside and what is missing', () => {
  it('names the tracepoint of the function that has one, constant propagation or not', () => {
    expect(tracepointOf('__handle_irq_event_percpu')).toContain('irq:irq_handler_entry');
    expect(tracepointOf('__handle_irq_event_percpu.constprop.0')).toContain('irq:irq_handler_entry');
    expect(tracepointOf('handle_edge_irq')).toBeUndefined();
  });

  it('says of what people look for whether the kernel has it', () => {
    const missing = missingFunctions(frames(WAY), (name) => name === 'handle_irq');
    expect(missing.map(({ name }) => name)).toEqual(['do_IRQ', 'handle_irq', 'call_irq_handler']);
    expect(missing.find(({ name }) => name === 'handle_irq')?.why).toMatch(/not on this way/);
    expect(missing.find(({ name }) => name === 'call_irq_handler')?.why).toMatch(/no such symbol/);
  });
});
