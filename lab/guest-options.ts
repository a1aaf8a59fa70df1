/** What a caller can ask of a guest, and of a command in it. */
import type { Turn } from './lock.js';
import type { Say } from './progress.js';
import type { OnOutput } from './running.js';

/** What guest is wanted. Everything has a default. */
export interface GuestOptions {
  /** Name of a kernel of the lab; 6.12 unless said. */
  readonly kernel?: string;
  /** `MODEL[,queues=N]`; igb unless said; null for a guest without a NIC. */
  readonly nic?: string | { readonly model: string; readonly queues?: number } | null;
  /** `MODEL[,queues=N]` of a second NIC, eth1, on a frame socket of its own; it is left down. */
  readonly second?: string;
  /** Emulated CPUs; 2 unless said. */
  readonly cpus?: number;
  /** MiB; 2048 unless said. */
  readonly memory?: number;
  /** Count instructions instead of time: one CPU, 1 ns each. */
  readonly icount?: boolean;
  /** QEMU trace events to log, with host times. */
  readonly trace?: readonly string[];
  /** More words for the kernel's command line. */
  readonly append?: string;
  /** Kernel modules to load besides the NIC's. */
  readonly modules?: readonly string[];
  /** Seconds until the guest must be ready, else it is started once more, with time enough; 60 unless said. */
  readonly bootTimeout?: number;
  /** Seconds after which the guest is ended whatever it does; 900 unless said. */
  readonly lifeTime?: number;
  /** `caller`: once the guest is ready, SIGINT is the caller's business and does not end it. */
  readonly interrupts?: 'end' | 'caller';
  readonly say?: Say;
  /** The lab was taken before, for several guests in a row: this one does not wait for its turn. */
  readonly turn?: Turn;
}

/** How a command is run. */
export interface CommandOptions {
  /** Folder; the project's folder unless said. */
  readonly cwd?: string;
  /** Variables besides PATH, HOME and the like. */
  readonly env?: Readonly<Record<string, string>>;
  readonly onStdout?: OnOutput;
  readonly onStderr?: OnOutput;
}

/** Host variables that shape output or name places the guest sees too. */
const PASSED = [
  'PATH',
  'TERM',
  'COLORTERM',
  'NO_COLOR',
  'FORCE_COLOR',
  'COLUMNS',
  'LANG',
  'RXSTAMP_CACHE',
  'RXSTAMP_DEBUG',
];
const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Environment of a command in the guest. */
export function baseEnv(): Record<string, string> {
  const env: Record<string, string> = { HOME: '/root', USER: 'root', RXSTAMP_LAB: '1' };
  for (const name of PASSED) {
    const value = process.env[name];
    if (value !== undefined) env[name] = value;
  }
  env['PATH'] = `${env['PATH'] ?? ''}:${SYSTEM_PATH}`.replace(/^:/, '');
  return env;
}
