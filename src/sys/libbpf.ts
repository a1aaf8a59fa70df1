/**
 * libbpf.so.1 through koffi: one line per C function, and the fixed order open, configure, load, attach, close.
 * Who frees: {@link BpfObject.close} frees links, programs and maps; nothing is pinned, so the kernel frees the same
 * when the process dies. Everything runs on the calling thread; no callback survives a call.
 */
import { closeSync } from 'node:fs';
import koffi from 'koffi';
import { RxError } from '../base/errors.js';
import { errnoText, formatVaList } from './libc.js';

/** An address of the library's; null: none. */
export type Pointer = bigint | null;

function loadLibrary(): ReturnType<typeof koffi.load> {
  try {
    return koffi.load('libbpf.so.1');
  } catch (cause) {
    throw new RxError('RXS_NO_LIBBPF', {
      doing: 'loading libbpf.so.1',
      why: 'the library is not installed',
      hint: 'apt-get install libbpf1 (version 1.1 or newer)',
      cause,
    });
  }
}

const library = loadLibrary();
const c = {
  setPrint: library.func('void *libbpf_set_print(void *fn)'),
  open: library.func('void *bpf_object__open_mem(const void *bytes, size_t size, void *options)'),
  load: library.func('int bpf_object__load(void *object)'),
  close: library.func('void bpf_object__close(void *object)'),
  findProgram: library.func('void *bpf_object__find_program_by_name(void *object, const char *name)'),
  nextProgram: library.func('void *bpf_object__next_program(void *object, void *program)'),
  programName: library.func('const char *bpf_program__name(void *program)'),
  setAutoload: library.func('int bpf_program__set_autoload(void *program, bool on)'),
  programFd: library.func('int bpf_program__fd(void *program)'),
  attach: library.func('void *bpf_program__attach(void *program)'),
  attachKprobe: library.func(
    'void *bpf_program__attach_kprobe(void *program, bool atReturn, const char *function)',
  ),
  setTarget: library.func('int bpf_program__set_attach_target(void *program, int fd, const char *function)'),
  linkFd: library.func('int bpf_link__fd(void *link)'),
  destroyLink: library.func('int bpf_link__destroy(void *link)'),
  findMap: library.func('void *bpf_object__find_map_by_name(void *object, const char *name)'),
  setMaxEntries: library.func('int bpf_map__set_max_entries(void *map, uint32_t entries)'),
  valueSize: library.func('uint32_t bpf_map__value_size(void *map)'),
  mapFd: library.func('int bpf_map__fd(void *map)'),
  initialValue: library.func('void *bpf_map__initial_value(void *map, _Out_ size_t *size)'),
  vmlinuxBtf: library.func('void *btf__load_vmlinux_btf()'),
  freeBtf: library.func('void btf__free(void *btf)'),
  findBtf: library.func('int btf__find_by_name_kind(void *btf, const char *name, uint32_t kind)'),
  typeById: library.func('const void *btf__type_by_id(void *btf, uint32_t id)'),
  nameByOffset: library.func('const char *btf__name_by_offset(void *btf, uint32_t offset)'),
  progLoad: library.func(
    'int bpf_prog_load(int type, const char *name, const char *license, const void *insns, size_t count, void *options)',
  ),
  rawTracepointOpen: library.func('int bpf_raw_tracepoint_open(const char *name, int program)'),
  enableStats: library.func('int bpf_enable_stats(int type)'),
  infoByFd: library.func('int bpf_obj_get_info_by_fd(int fd, void *info, _Inout_ uint32_t *size)'),
  possibleCpus: library.func('int libbpf_num_possible_cpus()'),
};

/** libbpf functions for other doors in src/sys; not for other rooms. */
export const libbpf: Readonly<typeof c> = c;

const PrintCallback = koffi.pointer(
  koffi.proto('int RxstampPrint(int level, const char *format, void *args)'),
);
let logLines: string[] = [];

/** Forgets what libbpf has said: of something that was only tried. */
export function dropLog(): void {
  logLines = [];
}

const printer = koffi.register((level: number, format: string, args: unknown): number => {
  if (level <= 1) logLines.push(formatVaList(format, args).trimEnd());
  return 0;
}, PrintCallback);
c.setPrint(printer);

/** What libbpf and the verifier said since the last call: the last useful lines first in the error, all in `cause`. */
function takeLog(): { short: string; whole: string } {
  const whole = logLines.join('\n');
  logLines = [];
  const lines = whole.split('\n').filter((line) => line.trim() !== '' && !/^(--|processed )/.test(line));
  const last =
    lines.findLast((line) => !/failed to load|libbpf: (prog|failed)/.test(line)) ?? lines.at(-1) ?? '';
  const more = lines.length > 1 ? ` (${lines.length - 1} more lines with RXSTAMP_DEBUG=1)` : '';
  return { short: `${last.trim().replace(/^libbpf: /, '')}${more}`, whole };
}

/** Number of possible CPUs: what per-CPU memory must be sized for. */
export function possibleCpus(): number {
  return c.possibleCpus() as number;
}

const RAW_TRACEPOINT = 17;
/** BPF_PROG_TYPE_TRACING. */
export const TRACING = 26;
const TRACE_FENTRY = 24;
/** `return 0` as instructions. */
export const RETURN_ZERO = [0xb7, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0] as const;

/** Loads a program to see whether the kernel takes it, for src/sys alone. @returns its descriptor, or minus the errno */
export function loadProbe(type: number, instructions: Uint8Array, attachType: number, btfId: number): number {
  // struct bpf_prog_load_opts of libbpf 1.1: sz at 0, expected_attach_type at 12, attach_btf_id at 32.
  const options = new DataView(new ArrayBuffer(48));
  options.setBigUint64(0, 48n, true);
  options.setUint32(12, attachType, true);
  options.setUint32(32, btfId, true);
  const bytes = new Uint8Array(options.buffer);
  const count = instructions.length / 8;
  const program = c.progLoad(type, 'rxstamp_probe', 'GPL', instructions, count, bytes) as number;
  logLines = [];
  return program;
}

/**
 * Tries to hang a two-instruction program on a kernel function and takes it off again.
 * @param btfId type id of the function in the kernel's BTF
 * @returns undefined when it worked, else the errno and the step that failed
 */
export function tryFentry(
  btfId: number,
): { readonly step: 'load' | 'attach'; readonly errno: number } | undefined {
  const program = loadProbe(TRACING, Uint8Array.from(RETURN_ZERO), TRACE_FENTRY, btfId);
  if (program < 0) return { step: 'load', errno: -program };
  const link = c.rawTracepointOpen(null, program) as number;
  if (link >= 0) closeSync(link);
  closeSync(program);
  return link < 0 ? { step: 'attach', errno: -link } : undefined;
}

/**
 * Whether a program may take the address of a kernel variable. BTF alone does not tell: the kernel looks the name up in
 * kallsyms, which has variables only with CONFIG_KALLSYMS_ALL.
 * @param btfId type id of the variable in the kernel's BTF
 */
export function tryVariable(btfId: number): boolean {
  const load = [0x18, 0x31, 0, 0, btfId & 0xff, (btfId >> 8) & 0xff, (btfId >> 16) & 0xff, btfId >>> 24];
  const program = loadProbe(
    RAW_TRACEPOINT,
    Uint8Array.from([...load, 0, 0, 0, 0, 0, 0, 0, 0, ...RETURN_ZERO]),
    0,
    0,
  );
  if (program >= 0) closeSync(program);
  return program >= 0;
}

/** An opened BPF object file. Configure it, then load(), then attach(). */
export class BpfObject {
  private readonly links: Pointer[] = [];
  private readonly linkOf = new Map<string, Pointer>();
  private object: Pointer;
  private readonly name: string;

  private constructor(object: Pointer, name: string) {
    this.object = object;
    this.name = name;
  }

  /** Opens object bytes. `name` is for messages. Error: RXS_BAD_OBJECT. */
  static open(bytes: Uint8Array, name: string): BpfObject {
    const object = c.open(bytes, bytes.length, null) as Pointer;
    if (object === null) {
      const log = takeLog();
      throw new RxError('RXS_BAD_OBJECT', {
        doing: 'opening the BPF object',
        subject: name,
        why: log.short === '' ? 'not a BPF object file' : log.short,
        hint: 'build it again with `npm run build`, or reinstall rxstamp',
        cause: log.whole,
      });
    }
    return new BpfObject(object, name);
  }

  /** Names of all programs in the file. */
  programs(): string[] {
    const names: string[] = [];
    for (
      let p = c.nextProgram(this.object, null) as Pointer;
      p;
      p = c.nextProgram(this.object, p) as Pointer
    ) {
      names.push(c.programName(p) as string);
    }
    return names;
  }

  /** Loads only these programs; the others cost nothing. */
  select(programs: ReadonlySet<string>): void {
    for (const name of this.programs()) c.setAutoload(this.program(name), programs.has(name));
  }

  /** Sets how many entries a map has. Before load(). */
  resize(map: string, entries: number): void {
    c.setMaxEntries(this.map(map), entries);
  }

  /** Size of one value of a map in bytes, rounded up to 8 as the kernel lays arrays out. */
  valueSize(map: string): number {
    return ((c.valueSize(this.map(map)) as number) + 7) & ~7;
  }

  /** The read-only data section's initial bytes, to be written before load(). */
  rodata(): DataView {
    const size = [0];
    const address = c.initialValue(this.map('.rodata'), size) as Pointer;
    if (!address) throw this.failure('RXS_BAD_OBJECT', 'reading .rodata of', 'the section is missing');
    return new DataView(koffi.view(address, Number(size[0])));
  }

  /** Loads the selected programs into the kernel. Error: RXS_BPF_LOAD with the verifier's last words. */
  load(): void {
    logLines = [];
    const result = c.load(this.object) as number;
    if (result !== 0) throw this.failure('RXS_BPF_LOAD', 'loading', errnoText(result));
  }

  /** Attaches one program; it stays until close(). Error: RXS_BPF_ATTACH. */
  attach(program: string): void {
    logLines = [];
    const link = c.attach(this.program(program)) as Pointer;
    this.keep(program, link);
  }

  /**
   * Says which kernel function an fentry program is for; modules' functions too, where their BTF is there. Before load().
   * @returns false where no BTF has the function
   */
  target(program: string, kernelFunction: string): boolean {
    const result = c.setTarget(this.program(program), 0, kernelFunction) as number;
    logLines = [];
    return result === 0;
  }

  /** Attaches a kprobe program to the entry of a function. Error: RXS_BPF_ATTACH. */
  attachKprobe(program: string, kernelFunction: string): void {
    logLines = [];
    this.keep(program, c.attachKprobe(this.program(program), false, kernelFunction) as Pointer);
  }

  /**
   * Hits that the kernel dropped before an attached kprobe program was asked (bpf_link_info.perf_event.kprobe.missed);
   * undefined where it does not say: before 3acf8ace6823 "bpf: Add missed value to kprobe perf link info" (6.7).
   */
  linkMisses(program: string): number | undefined {
    const link = this.linkOf.get(program);
    return link === undefined ? undefined : readMissed(c.linkFd(link) as number);
  }

  private keep(program: string, link: Pointer): void {
    if (!link) throw this.failure('RXS_BPF_ATTACH', 'attaching', `${program}: ${takeLog().short}`);
    this.links.push(link);
    this.linkOf.set(program, link);
  }

  /** File descriptor of a program, for its statistics. */
  programFd(program: string): number {
    return c.programFd(this.program(program)) as number;
  }

  /** File descriptor of a map, for mapping it. */
  mapFd(map: string): number {
    return c.mapFd(this.map(map)) as number;
  }

  /** Detaches all programs, the last attached first; events stop, maps stay readable. */
  detach(): void {
    this.linkOf.clear();
    for (const link of this.links.splice(0).reverse()) c.destroyLink(link);
  }

  /** Detaches and frees everything. Safe to call twice. */
  close(): void {
    this.detach();
    if (this.object !== null) c.close(this.object);
    this.object = null;
  }

  private program(name: string): Pointer {
    const program = c.findProgram(this.object, name) as Pointer;
    if (!program) throw this.failure('RXS_BAD_OBJECT', 'finding a program in', `no program ${name}`);
    return program;
  }

  private map(name: string): Pointer {
    const map = c.findMap(this.object, name) as Pointer;
    if (!map) throw this.failure('RXS_BAD_OBJECT', 'finding a map in', `no map ${name}`);
    return map;
  }

  private failure(
    code: 'RXS_BAD_OBJECT' | 'RXS_BPF_LOAD' | 'RXS_BPF_ATTACH',
    doing: string,
    why: string,
  ): RxError {
    const log = takeLog();
    return new RxError(code, {
      doing,
      subject: this.name,
      why: log.short === '' ? why : `${why}: ${log.short}`,
      hint: 'run `rxstamp doctor` to see what this kernel allows',
      cause: log.whole,
    });
  }
}

/**
 * struct bpf_link_info of a kprobe's link: missed at 48. What the kernel does not write keeps the mark; a link that is a
 * mere perf event (before 5.15) is refused.
 */
function readMissed(fd: number): number | undefined {
  const mark = 0xffff_ffff_ffff_ffffn;
  const info = new DataView(new ArrayBuffer(64));
  info.setBigUint64(48, mark, true);
  if (c.infoByFd(fd, new Uint8Array(info.buffer), [info.byteLength]) !== 0) return undefined;
  const missed = info.getBigUint64(48, true);
  return missed === mark ? undefined : Number(missed);
}
