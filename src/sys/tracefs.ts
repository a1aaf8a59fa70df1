/**
 * The kernel's tracing files (tracefs), as ftrace, its probes and their filters are worked. A refused write becomes an
 * error with the kernel's own words (`error_log`, Linux 5.2). Shared files (current_tracer, trace_clock, set_event, …)
 * are never written: everything is done in instances of rxstamp's own, and definitions of probes are only appended.
 */
import { closeSync, constants, existsSync, openSync, readFileSync, readdirSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { RxError } from '../base/errors.js';
import { HOST, type KernelFiles } from './files.js';

const USUAL = '/sys/kernel/tracing';

/** Where tracefs is mounted; undefined: nowhere. The usual place first. */
export function findTracefs(files: KernelFiles = HOST): string | undefined {
  const mounts = (files.text('/proc/self/mounts') ?? '')
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([, , type]) => type === 'tracefs')
    .map(([, place = '']) => place.replace(/\\040/g, ' '));
  return mounts.includes(USUAL) ? USUAL : mounts[0];
}

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : String(error);

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'this kernel has no such file',
  EACCES: 'permission denied',
  EPERM: 'not permitted (privilege, or kernel lockdown)',
  EBUSY: 'somebody is using it',
  ENOMEM: 'no memory for its buffers',
  ENODEV: 'no such device',
};

const HINTS: Readonly<Record<string, string>> = {
  EACCES: 'run as root',
  EPERM: 'run as root; /sys/kernel/security/lockdown must not say confidentiality',
  ENOMEM: 'give a smaller --buffer',
};

/** The words of the last entry of an `error_log` that is about `command`: `trace_kprobe: Invalid probed address or symbol`. */
export function errorFor(log: string, command: string): string | undefined {
  const entries = log.split(/^\[ *\d+\.\d+\] /m).slice(1);
  const own = entries.findLast((entry) => /^ +Command: (.*)$/m.exec(entry)?.[1]?.trim() === command.trim());
  return own
    ?.split('\n', 1)[0]
    ?.replace(': error: ', ': ')
    .replace(/[.?]+$/, '');
}

type Reason = Readonly<Record<'why' | 'hint', string>>;

function missing(mount: string): Reason {
  const known = (HOST.text('/proc/filesystems') ?? '').includes('tracefs');
  return known
    ? { why: 'tracefs is not mounted here', hint: mount }
    : { why: 'this kernel has no tracefs (CONFIG_TRACING)', hint: 'use --method ebpf or tracepoints' };
}

function unseen(path: string, mount: string): Reason {
  try {
    readdirSync(path);
    return {
      why: `another mount hides ${path}; \`ip netns exec\` has a /sys of its own`,
      hint: `${mount}, behind it`,
    };
  } catch (cause) {
    const code = codeOf(cause);
    if (code === 'ENOENT') return { why: `${path} is mounted, but not in sight`, hint: mount };
    return { why: `${path}: ${REASONS[code] ?? code}`, hint: HINTS[code] ?? 'run as root' };
  }
}

/** The tracing files below one folder: all of them, or an instance's. */
export class Tracefs {
  readonly path: string;
  /** The folder of all of them. */
  private readonly root: string;

  constructor(path: string, root = path) {
    this.path = path;
    this.root = root;
  }

  /** Finds the mount. @throws RxError RXS_TRACEFS */
  static open(): Tracefs {
    const path = findTracefs();
    if (path !== undefined && existsSync(join(path, 'events'))) return new Tracefs(path);
    const mount = `mount -t tracefs tracefs ${path ?? USUAL}`;
    throw new RxError('RXS_TRACEFS', {
      doing: "looking for the kernel's tracing files",
      ...(path === undefined ? missing(mount) : unseen(path, mount)),
    });
  }

  has(file: string): boolean {
    return existsSync(join(this.path, file));
  }

  /** Text of a file without the last newline. @throws RxError RXS_TRACEFS */
  read(file: string): string {
    try {
      return readFileSync(join(this.path, file), 'utf8').replace(/\n$/, '');
    } catch (cause) {
      throw this.refused('reading', file, undefined, cause);
    }
  }

  /** Writes one value into a file. @throws RxError RXS_TRACEFS with the kernel's reason */
  write(file: string, text: string): void {
    this.put(file, text, constants.O_WRONLY);
  }

  /** Adds a line to a list of definitions and leaves the others alone. @throws RxError RXS_TRACEFS */
  append(file: string, text: string): void {
    this.put(file, text, constants.O_WRONLY | constants.O_APPEND);
  }

  /** Replaces a list of this instance's own. @throws RxError RXS_TRACEFS */
  replace(file: string, text: string): void {
    this.put(file, text, constants.O_WRONLY | constants.O_TRUNC);
  }

  private put(file: string, text: string, flags: number): void {
    try {
      const fd = openSync(join(this.path, file), flags);
      try {
        writeSync(fd, `${text}\n`);
      } finally {
        closeSync(fd);
      }
    } catch (cause) {
      throw this.refused('writing', file, text, cause);
    }
  }

  /** The error of an access that the kernel refused. */
  refused(doing: 'reading' | 'writing', file: string, text: string | undefined, cause: unknown): RxError {
    const code = codeOf(cause);
    const said = text === undefined ? undefined : this.lastError(text);
    return new RxError('RXS_TRACEFS', {
      doing: text === undefined ? doing : `${doing} ${JSON.stringify(text)} to`,
      subject: join(this.path, file),
      why: said ?? REASONS[code] ?? code,
      hint: HINTS[code] ?? '`rxstamp compare` says which methods work here',
      cause,
    });
  }

  /** Filters log into their instance, definitions of probes into the common log. */
  private lastError(command: string): string | undefined {
    for (const folder of new Set([this.path, this.root])) {
      try {
        const found = errorFor(readFileSync(join(folder, 'error_log'), 'utf8'), command);
        if (found !== undefined) return found;
      } catch {
        // Before Linux 5.2 there is none.
      }
    }
    return undefined;
  }
}
