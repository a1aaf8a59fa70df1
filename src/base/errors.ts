/**
 * The one error type of rxstamp. Every failure a user can meet has a stable code from {@link CODES}, says what was
 * being done, to what, why it failed, and the cure. Match on `code`, never on the text.
 */

/** Exit codes of the command line: 0 ok, 1 failure, 2 usage, 3 finished with loss, 4 done but not verified. */
export const EXIT = { ok: 0, failure: 1, usage: 2, loss: 3, unverified: 4 } as const;

/** Every code, with the exit code it ends the program with. docs/errors.md explains each; CI compares the two. */
export const CODES = {
  RXS_USAGE: EXIT.usage,
  RXS_NO_IFACE: EXIT.usage,
  RXS_NO_DEFAULT_ROUTE: EXIT.usage,
  RXS_NO_IRQ: EXIT.usage,
  RXS_IRQ_NOT_NIC: EXIT.usage,
  RXS_NO_QUEUE: EXIT.usage,
  RXS_NO_CPU: EXIT.usage,
  RXS_NO_PROCESS: EXIT.usage,
  RXS_FILTER: EXIT.usage,
  RXS_NO_PRIVILEGE: EXIT.failure,
  RXS_NO_BTF: EXIT.failure,
  RXS_NO_HOOK: EXIT.failure,
  RXS_NO_METHOD: EXIT.failure,
  RXS_NO_INTERRUPT: EXIT.failure,
  RXS_TRACEFS: EXIT.failure,
  RXS_PERF: EXIT.failure,
  RXS_IMPORT: EXIT.usage,
  RXS_BAD_OBJECT: EXIT.failure,
  RXS_BPF_LOAD: EXIT.failure,
  RXS_BPF_ATTACH: EXIT.failure,
  RXS_NO_LIBBPF: EXIT.failure,
  RXS_NO_LIBPCAP: EXIT.failure,
  RXS_NO_MEMORY: EXIT.failure,
  RXS_SYS: EXIT.failure,
  RXS_NEEDS_PROGRAM: EXIT.failure,
  RXS_STATE: EXIT.failure,
  RXS_NO_HW_STAMPS: EXIT.failure,
  RXS_HW_IN_USE: EXIT.failure,
  RXS_LAB: EXIT.failure,
  RXS_LAB_NO_KERNEL: EXIT.usage,
  RXS_LAB_NO_NIC: EXIT.usage,
  RXS_FLOW: EXIT.usage,
  RXS_NO_STEERING: EXIT.failure,
  RXS_STEER_FAILED: EXIT.failure,
  RXS_OUTPUT: EXIT.failure,
  RXS_INTERNAL: EXIT.failure,
} as const;

/** A stable error code. */
export type ErrorCode = keyof typeof CODES;

/** What an {@link RxError} is made of. All fragments are lower-case and carry the offending value. */
export interface ErrorParts {
  /** What was being done: `resolving the interface`. */
  doing: string;
  /** To what: `"eth7"`. */
  subject?: string;
  /** Why it failed: `no such network interface`. */
  why: string;
  /** The cure, as an instruction: `pick one of: eth0, lo`. */
  hint: string;
  /** The error underneath, kept for --debug. */
  cause?: unknown;
}

/** A failure with a stable code and a cure. `message` is the whole line without the hint. */
export class RxError extends Error {
  readonly code: ErrorCode;
  readonly hint: string;

  constructor(code: ErrorCode, parts: ErrorParts) {
    const subject = parts.subject === undefined ? '' : ` ${parts.subject}`;
    super(`${parts.doing}${subject}: ${parts.why}`, parts.cause === undefined ? {} : { cause: parts.cause });
    this.name = 'RxError';
    this.code = code;
    this.hint = parts.hint;
  }

  /** The exit code that belongs to this error's code. */
  get exitCode(): number {
    return CODES[this.code];
  }

  /** The one line a user sees: `CODE: doing subject: why. hint: cure`. */
  toLine(): string {
    return `${this.code}: ${this.message}. hint: ${this.hint}`;
  }
}
