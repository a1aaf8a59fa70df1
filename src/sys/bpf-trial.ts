/** Trial loads: whether the kernel takes a kind of BPF program. A two-instruction program is loaded and dropped. */
import { closeSync } from 'node:fs';
import { type KernelBtf, libbpf } from './libbpf.js';

const TRACING = 26;
const TRACE_RAW_TP = 23;
const RETURN_ZERO = new Uint8Array([0xb7, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0]);

/** Loads, and does not attach, a tp_btf program for a tracepoint. @returns undefined when it worked, else the errno */
export function tryTracepoint(btf: KernelBtf, name: string): number | undefined {
  // struct bpf_prog_load_opts of libbpf 1.1: sz at 0, expected_attach_type at 12, attach_btf_id at 32.
  const options = new DataView(new ArrayBuffer(48));
  options.setBigUint64(0, 48n, true);
  options.setUint32(12, TRACE_RAW_TP, true);
  options.setUint32(32, btf.id(`btf_trace_${name}`, 'TYPEDEF'), true);
  const bytes = new Uint8Array(options.buffer);
  const program: number = libbpf.progLoad(TRACING, 'rxstamp_probe', 'GPL', RETURN_ZERO, 2, bytes);
  if (program < 0) return -program;
  closeSync(program);
  return undefined;
}
