/** What this process may do: effective capabilities, from /proc/self/status. */
import { HOST, type KernelFiles } from './files.js';

/** Bit numbers of include/uapi/linux/capability.h that matter to tracing. */
const BITS = {
  CAP_NET_ADMIN: 12,
  CAP_SYS_ADMIN: 21,
  CAP_SYSLOG: 34,
  CAP_PERFMON: 38,
  CAP_BPF: 39,
} as const;

/** A capability that rxstamp looks at. */
export type Capability = keyof typeof BITS;

const NAMES: readonly Capability[] = [
  'CAP_BPF',
  'CAP_PERFMON',
  'CAP_NET_ADMIN',
  'CAP_SYS_ADMIN',
  'CAP_SYSLOG',
];

/** What each is needed for. */
export const CAPABILITY_USES: Readonly<Record<Capability, string>> = {
  CAP_BPF: 'load BPF programs and maps',
  CAP_PERFMON: 'attach them to the kernel and read its memory',
  CAP_NET_ADMIN: 'change a NIC (rxstamp never does unless told)',
  CAP_SYS_ADMIN: 'all of these on kernels before 5.8',
  CAP_SYSLOG: 'read kernel addresses in /proc/kallsyms',
};

/** The capabilities of {@link BITS} that are effective; undefined when /proc does not say. */
export function effectiveCapabilities(files: KernelFiles = HOST): ReadonlySet<Capability> | undefined {
  const hex = /^CapEff:\s*([0-9a-f]+)$/m.exec(files.text('/proc/self/status') ?? '')?.[1];
  if (hex === undefined) return undefined;
  const bits = BigInt(`0x${hex}`);
  return new Set(NAMES.filter((name) => ((bits >> BigInt(BITS[name])) & 1n) === 1n));
}

/** Capabilities that loading and attaching a tracing program lacks; empty when nothing does. CAP_SYS_ADMIN is enough. */
export function missingForTracing(have: ReadonlySet<Capability>): Capability[] {
  if (have.has('CAP_SYS_ADMIN')) return [];
  return (['CAP_BPF', 'CAP_PERFMON'] as const).filter((name) => !have.has(name));
}
