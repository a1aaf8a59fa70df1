/**
 * What the kernel knows about interrupts and NAPI instances and prints nowhere: bpf/inspect.bpf.c, run on request.
 * Kernel addresses are compared inside rxstamp and never shown. Needs CAP_BPF and CAP_PERFMON and kernel 5.10; before
 * 5.13 also CAP_SYSLOG for the names of functions.
 */
import { closeSync, constants, openSync } from 'node:fs';
import koffi from 'koffi';
import { cText } from '../base/c-text.js';
import { RxError } from '../base/errors.js';
import { functionAt } from './kallsyms.js';
import { BpfObject } from './libbpf.js';
import { type Mapping, errnoText, mapShared } from './libc.js';
import { readObject } from './package.js';

/** A handler on an interrupt line. */
export interface ActionDetail {
  readonly name: string;
  /** Function that the hard interrupt calls: `igb_msix_ring`, or `irq_default_primary_handler` with a thread. */
  readonly handler: string;
  /** Function that the interrupt's thread calls; undefined without a thread. */
  readonly thread: string | undefined;
  /** The handler's argument, an address for comparing only. */
  readonly argument: bigint;
}

/** An interrupt, as the kernel has it at this moment. */
export interface IrqDetail {
  readonly irq: number;
  /** x86 vector and the CPU it is on; undefined while none is assigned or on another architecture. */
  readonly vector: number | undefined;
  readonly cpu: number | undefined;
  /** `handle_edge_irq`, `handle_fasteoi_irq`. */
  readonly flow: string;
  readonly actions: readonly ActionDetail[];
}

/** A NAPI instance of an interface. */
export interface NapiDetail {
  /** 0 for instances that only transmit: the kernel gives them no id. */
  readonly id: number;
  /** IRQ that the driver told the kernel (6.8 and newer); undefined where it told none. */
  readonly irq: number | undefined;
  readonly threaded: boolean;
  /** The driver's poll function. */
  readonly poll: string;
  readonly address: bigint;
  /** The words before it, nearest last: the head of the queue structure that embeds it. */
  readonly before: readonly bigint[];
  /** Receive queues that the driver tied to it (6.8 and newer). */
  readonly queues: readonly number[];
}

// Layout of bpf/inspect.h.
const NAME = 64;
const ACTION = {
  argument: 0,
  handlerAddress: 8,
  threadAddress: 16,
  handler: 32,
  thread: 32 + NAME,
  name: 32 + 2 * NAME,
  SIZE: 32 + 3 * NAME,
} as const;
const IRQ = {
  vector: 4,
  cpu: 8,
  actions: 12,
  flowAddress: 16,
  flow: 24,
  action: 24 + NAME,
  SIZE: 24 + NAME + 4 * ACTION.SIZE,
} as const;
const WORDS = 128;
const ID = 16 + WORDS * 8;
const NAPI = {
  address: 0,
  pollAddress: 8,
  before: 16,
  id: ID,
  irq: ID + 4,
  threaded: ID + 8,
  poll: ID + 16,
  SIZE: ID + 16 + NAME,
  MAX: 512,
} as const;
const HEAD = { device: 0, napis: 8, queues: 12, SIZE: 16 } as const;
const MAX_QUEUES = 512;

const testRun = koffi.load('libbpf.so.1').func('int bpf_prog_test_run_opts(int fd, void *options)');

/** Pages that hold `bytes`. */
const pages = (bytes: number): number => Math.ceil(bytes / 4096) * 4096;

const text = (view: DataView, offset: number): string =>
  cText(new Uint8Array(view.buffer, view.byteOffset + offset, NAME));

/** Name of a function: as the kernel wrote it, else from /proc/kallsyms, else `?`. */
function functionName(view: DataView, nameAt: number, addressAt: number): string {
  const address = view.getBigUint64(addressAt, true);
  if (address === 0n) return '';
  return text(view, nameAt) || functionAt(address) || '?';
}

/** Reads interrupts and NAPI instances until closed. */
export class Inspector {
  private readonly object: BpfObject;
  private readonly mappings: Mapping[] = [];
  private readonly irqRow: DataView;
  private readonly napiHead: DataView;
  private readonly napiRows: DataView;
  private readonly queueRows: BigUint64Array;

  private constructor(object: BpfObject) {
    this.object = object;
    this.irqRow = new DataView(this.map('irq_row', IRQ.SIZE, 1));
    this.napiHead = new DataView(this.map('napi_head', HEAD.SIZE, 1));
    this.napiRows = new DataView(this.map('napi_rows', NAPI.SIZE, NAPI.MAX));
    this.queueRows = new BigUint64Array(this.map('queue_rows', 8, MAX_QUEUES));
  }

  /** Loads the programs. @throws RxError RXS_BPF_LOAD where the kernel refuses them, RXS_BAD_OBJECT */
  static open(): Inspector {
    const object = BpfObject.open(readObject('inspect.bpf.o'), 'inspect.bpf.o');
    try {
      object.load();
      return new Inspector(object);
    } catch (error) {
      object.close();
      throw error;
    }
  }

  /** One interrupt; undefined where the kernel has no such interrupt (or no sysfs folder for it). */
  irq(irq: number): IrqDetail | undefined {
    if (!this.run('read_irq', `/sys/kernel/irq/${irq}`, irq)) return undefined;
    const row = this.irqRow;
    const vector = row.getUint32(IRQ.vector, true);
    const count = row.getUint32(IRQ.actions, true);
    return {
      irq,
      vector: vector === 0 ? undefined : vector,
      cpu: vector === 0 ? undefined : row.getUint32(IRQ.cpu, true),
      flow: functionName(row, IRQ.flow, IRQ.flowAddress),
      actions: Array.from({ length: count }, (_, i) => readAction(row, IRQ.action + i * ACTION.SIZE)),
    };
  }

  /** NAPI instances of an interface, and its net_device's address; undefined when it went away. */
  napis(
    name: string,
    ifindex: number,
  ): { readonly device: bigint; readonly napis: readonly NapiDetail[] } | undefined {
    if (!this.run('read_napis', `/sys/class/net/${name}`, ifindex)) return undefined;
    const queues = [...this.queueRows.subarray(0, this.napiHead.getUint32(HEAD.queues, true))];
    const count = this.napiHead.getUint32(HEAD.napis, true);
    return {
      device: this.napiHead.getBigUint64(HEAD.device, true),
      napis: Array.from({ length: count }, (_, i) => readNapi(this.napiRows, i * NAPI.SIZE, queues)),
    };
  }

  /** Unloads the programs. */
  close(): void {
    for (const mapping of this.mappings.splice(0)) mapping.close();
    this.object.close();
  }

  /** Maps a table of `count` rows. An object file of another version has rows of another size. */
  private map(name: string, size: number, count: number): ArrayBuffer {
    const found = this.object.valueSize(name);
    if (found !== size) {
      throw new RxError('RXS_BAD_OBJECT', {
        doing: 'reading inspect.bpf.o',
        why: `rows of ${name} have ${found} bytes and should have ${size}`,
        hint: 'build it again with `npm run build`, or reinstall rxstamp',
      });
    }
    const mapping = mapShared(this.object.mapFd(name), pages(size * count), 0, false);
    this.mappings.push(mapping);
    return mapping.buffer;
  }

  /** Runs a program on the kernel object behind a sysfs folder. False: there is none with this number. */
  private run(program: string, folder: string, number: number): boolean {
    let fd: number;
    try {
      fd = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY);
    } catch {
      return false;
    }
    try {
      return this.call(program, new BigUint64Array([BigInt(fd), BigInt(number)])) === 0;
    } finally {
      closeSync(fd);
    }
  }

  private call(program: string, words: BigUint64Array): number {
    // struct bpf_test_run_opts of libbpf 1.1: sz 0, ctx_in 32, ctx_size_in 48, retval 56.
    const context: bigint = koffi.address(koffi.alloc('uint64_t', words.length));
    new BigUint64Array(koffi.view(context, words.byteLength)).set(words);
    const options = new DataView(new ArrayBuffer(80));
    options.setBigUint64(0, 80n, true);
    options.setBigUint64(32, context, true);
    options.setUint32(48, words.byteLength, true);
    const result: number = testRun(this.object.programFd(program), new Uint8Array(options.buffer));
    koffi.free(context);
    if (result === 0) return options.getUint32(56, true);
    throw new RxError('RXS_SYS', {
      doing: 'running the BPF program',
      subject: program,
      why: errnoText(result),
      hint: 'running raw tracepoint programs on request needs kernel 5.10 and CAP_BPF with CAP_PERFMON',
    });
  }
}

function readAction(row: DataView, at: number): ActionDetail {
  return {
    name: text(row, at + ACTION.name),
    handler: functionName(row, at + ACTION.handler, at + ACTION.handlerAddress),
    thread: functionName(row, at + ACTION.thread, at + ACTION.threadAddress) || undefined,
    argument: row.getBigUint64(at + ACTION.argument, true),
  };
}

function readNapi(rows: DataView, at: number, queues: readonly bigint[]): NapiDetail {
  const address = rows.getBigUint64(at + NAPI.address, true);
  const irq = rows.getInt32(at + NAPI.irq, true);
  return {
    id: rows.getUint32(at + NAPI.id, true),
    // 0 in a kernel that never set it, -1 where the driver did not.
    irq: irq > 0 ? irq : undefined,
    threaded: rows.getUint32(at + NAPI.threaded, true) === 1,
    poll: functionName(rows, at + NAPI.poll, at + NAPI.pollAddress),
    address,
    before: Array.from({ length: WORDS }, (_, i) => rows.getBigUint64(at + NAPI.before + i * 8, true)),
    queues: queues.flatMap((napi, queue) => (napi === address ? [queue] : [])),
  };
}
