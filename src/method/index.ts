/** All methods, each loaded when it is asked for. */
import type { Method } from './method.js';
import type { MethodName } from './names.js';

/** How each method is loaded. */
export const METHODS: Readonly<Record<MethodName, () => Promise<Method>>> = {
  ebpf: async () => (await import('./ebpf/method.js')).ebpf,
  tracepoints: async () => (await import('./tracepoints/method.js')).tracepoints,
  'ebpf-kprobe': async () => (await import('./ebpf-kprobe/method.js')).ebpfKprobe,
  driver: async () => (await import('./driver/method.js')).driver,
  kprobe: async () => (await import('./kprobe/method.js')).kprobe,
  fprobe: async () => (await import('./fprobe/method.js')).fprobe,
  ftrace: async () => (await import('./ftrace/method.js')).ftrace,
  function: async () => (await import('./function/method.js')).functionTracer,
  perf: async () => (await import('./perf/method.js')).perf,
  af_packet: async () => (await import('./af-packet/method.js')).afPacket,
  printk: async () => (await import('./printk/method.js')).printk,
};
