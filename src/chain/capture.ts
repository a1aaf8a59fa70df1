/** bpf/chain.bpf.c, loaded twice: once for the stack of one interrupt, once for the times of its functions. */
import { errnoText } from '../sys/libc.js';
import { BpfObject, possibleCpus } from '../sys/libbpf.js';
import { type Mapping, mapShared } from '../sys/libc.js';
import { readObject } from '../sys/package.js';
import { RxError } from '../base/errors.js';
import type { Sample } from './times.js';

const OBJECT = 'chain.bpf.o';
// Layout of bpf/chain.h.
const STACK = { taken: 0, irq: 4, cpu: 8, bytes: 12, address: 16, SIZE: 528 } as const;
const HOOKS = 16;
const SAMPLE_BYTES = HOOKS * 8;
const CPU = { next: SAMPLE_BYTES, end: SAMPLE_BYTES + 4, SIZE: SAMPLE_BYTES + 8 } as const;
const MOST_IRQS = 4096;
/** 128 MiB. */
const MOST_SAMPLES = 2 ** 20;
const PAGE = 4096;

/** Functions that can be timed at once. */
export const MOST_HOOKS = 14;
/** Indexes in a {@link Sample} of the tracepoint irq_handler_entry and of the second program on one function. */
export const AT_TRACEPOINT = 14;
export const AT_TWIN = 15;

/** How a program hangs on a function. */
export type FunctionKind = 'fentry' | 'kprobe';

/** A function to hook. */
export interface Hooking {
  readonly name: string;
  readonly kind: FunctionKind;
}

/** A stack as the kernel gave it. */
export interface RawStack {
  readonly irq: number;
  readonly cpu: number;
  /** Innermost first; with frames of BPF in front, and of what was interrupted behind. */
  readonly addresses: readonly bigint[];
}

function mapOf(
  object: BpfObject,
  name: string,
  valueBytes: number,
  entries: number,
  writable: boolean,
): Mapping {
  const size = object.valueSize(name);
  if (size !== valueBytes)
    throw new RxError('RXS_BAD_OBJECT', {
      doing: 'reading the BPF object',
      subject: `${OBJECT}, map ${name}`,
      why: `its values have ${size} bytes instead of ${valueBytes}`,
      hint: 'build it again with `npm run build`',
    });
  return mapShared(object.mapFd(name), Math.ceil((valueBytes * entries) / PAGE) * PAGE, 0, writable);
}

/** Opens the object, loads these programs, runs `use` with it; what it opened is closed where that fails. */
function opened<Result>(
  programs: readonly string[],
  prepare: (object: BpfObject) => void,
  use: (object: BpfObject) => Result,
): Result {
  const object = BpfObject.open(readObject(OBJECT), OBJECT);
  try {
    object.select(new Set(programs));
    prepare(object);
    object.load();
    return use(object);
  } catch (error) {
    object.close();
    throw error;
  }
}

function want(object: BpfObject, irqs: readonly number[]): void {
  const mapping = mapOf(object, 'wanted', 8, MOST_IRQS, true);
  const words = new BigUint64Array(mapping.buffer);
  for (const irq of irqs) if (irq < MOST_IRQS) words[irq] = 1n;
  mapping.close();
}

/** Waits for one interrupt and keeps its stacks, from the handler and from the tracepoint in front of it. */
export class StackTrap {
  private readonly object: BpfObject;
  private readonly mapping: Mapping;

  private constructor(object: BpfObject) {
    this.object = object;
    this.mapping = mapOf(object, 'stacks', STACK.SIZE, 2, false);
  }

  /** @param handler the driver's function and how it is hooked; undefined: it cannot be */
  static open(irqs: readonly number[], handler: Hooking | undefined): StackTrap {
    const program = handler && `stack_${handler.kind}`;
    return opened(
      ['stack_tracepoint', ...(program === undefined ? [] : [program])],
      (object) => void (handler?.kind === 'fentry' && object.target(program as string, handler.name)),
      (object) => {
        const trap = new StackTrap(object);
        want(object, irqs);
        if (handler?.kind === 'fentry') object.attach(program as string);
        else if (handler !== undefined) object.attachKprobe(program as string, handler.name);
        object.attach('stack_tracepoint');
        return trap;
      },
    );
  }

  /** What came so far. @throws RxError RXS_SYS where the kernel gives no stacks */
  take(): { readonly handler: RawStack | undefined; readonly tracepoint: RawStack | undefined } {
    return { handler: this.read(0), tracepoint: this.read(1) };
  }

  private read(index: number): RawStack | undefined {
    const view = new DataView(this.mapping.buffer, index * STACK.SIZE, STACK.SIZE);
    if (view.getUint32(STACK.taken, true) === 0) return undefined;
    const bytes = view.getInt32(STACK.bytes, true);
    if (bytes <= 0)
      throw new RxError('RXS_SYS', {
        doing: 'reading the stack of an interrupt',
        why: `bpf_get_stack: ${errnoText(bytes)}`,
        hint: 'this kernel does not let programs walk its stack (CONFIG_STACKTRACE, CONFIG_PERF_EVENTS)',
      });
    return {
      irq: view.getUint32(STACK.irq, true),
      cpu: view.getUint32(STACK.cpu, true),
      addresses: Array.from({ length: bytes / 8 }, (_, i) =>
        view.getBigUint64(STACK.address + i * 8, true),
      ).filter((address) => address !== 0n),
    };
  }

  close(): void {
    this.mapping.close();
    this.object.close();
  }
}

/** Interrupts that can be timed on this machine: all of them may come to one CPU, so each has room for as many. */
export const mostTimed = (): number => Math.max(1, Math.floor(MOST_SAMPLES / possibleCpus()));

/** Times functions at the interrupts of some lines: hook i of a sample is the i-th of `hooks`. */
export class Stopwatch {
  private readonly object: BpfObject;
  private readonly cpus: Mapping;
  private readonly samples: Mapping;
  private readonly most: number;

  private constructor(object: BpfObject, most: number) {
    const count = possibleCpus();
    this.object = object;
    this.most = most;
    this.cpus = mapOf(object, 'chain_cpus', CPU.SIZE, count, true);
    this.samples = mapOf(object, 'samples', SAMPLE_BYTES, most * count, false);
    const view = new DataView(this.cpus.buffer);
    for (let cpu = 0; cpu < count; cpu++) {
      view.setUint32(cpu * CPU.SIZE + CPU.next, cpu * most, true);
      view.setUint32(cpu * CPU.SIZE + CPU.end, (cpu + 1) * most, true);
    }
  }

  /**
   * @param hooks at most {@link MOST_HOOKS}
   * @param most interrupts to time, not more than {@link mostTimed}
   * @param twin the function that gets a second program, by fentry: their distance is what one costs
   */
  static open(
    irqs: readonly number[],
    hooks: readonly Hooking[],
    twin: string | undefined,
    most: number,
  ): Stopwatch {
    const names = hooks.map(({ kind }, index) => `time_${kind}_${index}`);
    const others = ['time_tracepoint', ...(twin === undefined ? [] : ['time_twin'])];
    return opened(
      [...names, ...others, 'publish'],
      (object) => {
        for (const [index, { kind, name }] of hooks.entries())
          if (kind === 'fentry') object.target(names[index] as string, name);
        if (twin !== undefined) object.target('time_twin', twin);
        object.resize('chain_cpus', possibleCpus());
        object.resize('samples', most * possibleCpus());
      },
      (object) => {
        const watch = new Stopwatch(object, most);
        want(object, irqs);
        for (const [index, { kind, name }] of hooks.entries()) {
          if (kind === 'fentry') object.attach(names[index] as string);
          else object.attachKprobe(names[index] as string, name);
        }
        for (const other of others) object.attach(other);
        // Last: a sample then has everything.
        object.attach('publish');
        return watch;
      },
    );
  }

  /** Interrupts so far. */
  count(): number {
    return this.perCpu().reduce((sum, { length }) => sum + length, 0);
  }

  /** The times of as many as were asked for, from the first one of each. */
  read(): Sample[] {
    const words = new BigUint64Array(this.samples.buffer);
    const indexes = this.perCpu().flatMap(({ from, length }) => Array.from({ length }, (_, i) => from + i));
    return indexes.slice(0, this.most).map((index) => {
      const times = words.subarray(index * HOOKS, (index + 1) * HOOKS);
      const first = times.reduce((a, b) => (b !== 0n && (a === 0n || b < a) ? b : a), 0n);
      // 1, not 0: that says that it was not entered.
      return Array.from(times, (time) => (time === 0n ? 0 : Number(time - first) + 1));
    });
  }

  private perCpu(): { readonly from: number; readonly length: number }[] {
    const view = new DataView(this.cpus.buffer);
    return Array.from({ length: possibleCpus() }, (_, cpu) => {
      const from = cpu * this.most;
      return { from, length: view.getUint32(cpu * CPU.SIZE + CPU.next, true) - from };
    });
  }

  close(): void {
    this.samples.close();
    this.cpus.close();
    this.object.close();
  }
}
