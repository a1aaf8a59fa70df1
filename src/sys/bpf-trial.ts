/** Trial loads: whether the kernel takes a kind of BPF program. A two-instruction program is loaded and dropped. */
import { closeSync } from 'node:fs';
import type { KernelBtf } from './kernel-btf.js';
import { RETURN_ZERO, TRACING, loadProbe } from './libbpf.js';

const TRACE_RAW_TP = 23;

/** Loads, and does not attach, a tp_btf program for a tracepoint. @returns undefined when it worked, else the errno */
export function tryTracepoint(btf: KernelBtf, name: string): number | undefined {
  const type = btf.id(`btf_trace_${name}`, 'TYPEDEF');
  const program = loadProbe(TRACING, Uint8Array.from(RETURN_ZERO), TRACE_RAW_TP, type);
  if (program < 0) return -program;
  closeSync(program);
  return undefined;
}
