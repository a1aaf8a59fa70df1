/** The door to this machine's hooks. Separate, so that reading a saved machine does not load libbpf. */
import { tryTracepoint } from '../sys/bpf-trial.js';
import { effectiveCapabilities } from '../sys/caps.js';
import { type KernelConfig, kernelConfig } from '../sys/kernel-config.js';
import { openKernelBtf } from '../sys/kernel-btf.js';
import { tryFentry, tryVariable } from '../sys/libbpf.js';
import { errnoText } from '../sys/libc.js';
import type { HookDoor } from './hooks.js';

/** Opens the door; close() frees the type information. @throws RxError RXS_NO_LIBBPF (at import) */
export function hostHooks(): HookDoor & {
  /** True when programs may use this kernel variable: it is in BTF and in kallsyms. */
  hasVariable(name: string): boolean;
  /** True when programs can tell interrupts from what they interrupted. */
  hasPreemptCount(): boolean;
  /** Names of the values of one of the kernel's enums; empty where it has no such enum. */
  enumNames(name: string): Map<number, string>;
  readonly hasBtf: boolean;
  close(): void;
} {
  const btf = openKernelBtf();
  let config: KernelConfig | undefined;
  const hasVariable = (name: string): boolean => {
    const id = btf?.id(name, 'VAR') ?? 0;
    return id > 0 && tryVariable(id);
  };
  return {
    hasBtf: btf !== undefined,
    hasVariable,
    hasPreemptCount: () => hasVariable('pcpu_hot') || hasVariable('__preempt_count'),
    enumNames: (name) => btf?.enumNames(name) ?? new Map(),
    functionId: (name) => btf?.id(name, 'FUNC'),
    hasTracepoint: (name) => btf?.has(`btf_trace_${name}`, 'TYPEDEF'),
    tryFentry,
    tryTracepoint: (name) => (btf === undefined ? undefined : tryTracepoint(btf, name)),
    errnoText,
    capabilities: effectiveCapabilities(),
    // Thousands of options are read to explain one refusal: only when there is one.
    get config() {
      return (config ??= kernelConfig());
    },
    close: () => btf?.close(),
  };
}
