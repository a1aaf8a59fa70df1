/** The ways of listening by name: for the command line, which must not load what they are made of. */

/** In the order of what a user should try first. */
export const METHOD_NAMES = [
  'ebpf',
  'tracepoints',
  'ebpf-kprobe',
  'driver',
  'kprobe',
  'fprobe',
  'ftrace',
  'function',
  'perf',
  'af_packet',
  'printk',
] as const;

/** Name of a method. */
export type MethodName = (typeof METHOD_NAMES)[number];

/** What `trace` listens with unless told otherwise: it falls back by itself to what the kernel allows. */
export const DEFAULT_METHOD: MethodName = 'ebpf';
