/**
 * What the kernel knows about interrupts and NAPI instances and prints nowhere: bpf/inspect.bpf.c, run on request.
 * Kernel addresses are compared inside rxstamp and never shown. Needs CAP_BPF and CAP_PERFMON and kernel 5.14.
 */
import { closeSync, constants, openSync } from 'node:fs';
import koffi from 'koffi';
import { RxError } from '../base/errors.js';
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
const ACTION = { SIZE: 16 + 3 * NAME, argument: 0, handler: 16, thread: 16 + NAME, name: 16 + 2 * NAME };
const IRQ = { vector: 4, cpu: 8, actions: 12, flow: 16, action: 16 + NAME, MAX_ACTIONS: 4 };
const WORDS = 128;
const BEFORE = 8;
const ID = BEFORE + WORDS * 8;
const NAPI = {
  SIZE: ID + 16 + NAME,
  address: 0,
  before: BEFORE,
  id: ID,
  irq: ID + 4,
  threaded: ID + 8,
  poll: ID + 16,
  MAX: 512,
};
const ARGS = { SIZE: 32, fd: 0, irq: 4, ifindex: 8, found: 12, queues: 16, device: 24 };
const MAX_QUEUES = 512;

const testRun = koffi.load('libbpf.so.1').func('int bpf_prog_test_run_opts(int fd, void *options)');

/** Pages that hold `bytes`. */
const pages = (bytes: number): number => Math.ceil(bytes / 4096) * 4096;

function text(view: DataView, offset: number): string {
  const bytes = new Uint8Array(view.buffer, view.byteOffset + offset, NAME);
  const end = bytes.indexOf(0);
  return Buffer.from(bytes.subarray(0, end < 0 ? NAME : end)).toString('latin1');
}

/** Reads interrupts and NAPI instances until closed. */
export class Inspector {
  private readonly object: BpfObject;
  private readonly mappings: Mapping[] = [];
  private readonly irqRow: DataView;
  private readonly napiRows: DataView;
  private readonly queueRows: BigUint64Array;

  private constructor(object: BpfObject) {
    this.object = object;
    this.irqRow = new DataView(this.map('irq_row', IRQ.action + IRQ.MAX_ACTIONS * ACTION.SIZE));
    this.napiRows = new DataView(this.map('napi_rows', NAPI.MAX * NAPI.SIZE));
    this.queueRows = new BigUint64Array(this.map('queue_rows', MAX_QUEUES * 8));
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
    const found = this.run('read_irq', `/sys/kernel/irq/${irq}`, (args) =>
      args.setUint32(ARGS.irq, irq, true),
    );
    if (found === undefined) return undefined;
    const row = this.irqRow;
    const vector = row.getUint32(IRQ.vector, true);
    const count = row.getUint32(IRQ.actions, true);
    return {
      irq,
      vector: vector === 0 ? undefined : vector,
      cpu: vector === 0 ? undefined : row.getUint32(IRQ.cpu, true),
      flow: text(row, IRQ.flow),
      actions: Array.from({ length: count }, (_, i) => readAction(row, IRQ.action + i * ACTION.SIZE)),
    };
  }

  /** NAPI instances of an interface, and its net_device's address; undefined when it went away. */
  napis(
    name: string,
    ifindex: number,
  ): { readonly device: bigint; readonly napis: readonly NapiDetail[] } | undefined {
    const args = this.run('read_napis', `/sys/class/net/${name}`, (view) =>
      view.setInt32(ARGS.ifindex, ifindex, true),
    );
    if (args === undefined) return undefined;
    const queues = [...this.queueRows.subarray(0, args.getUint32(ARGS.queues, true))];
    const count = args.getUint32(ARGS.found, true);
    return {
      device: args.getBigUint64(ARGS.device, true),
      napis: Array.from({ length: count }, (_, i) => readNapi(this.napiRows, i * NAPI.SIZE, queues)),
    };
  }

  /** Unloads the programs. */
  close(): void {
    for (const mapping of this.mappings.splice(0)) mapping.close();
    this.object.close();
  }

  private map(name: string, bytes: number): ArrayBuffer {
    const mapping = mapShared(this.object.mapFd(name), pages(bytes), 0, false);
    this.mappings.push(mapping);
    return mapping.buffer;
  }

  /** Runs a program on the kernel object behind a sysfs folder; its arguments come back, or undefined: not found. */
  private run(program: string, folder: string, fill: (args: DataView) => void): DataView | undefined {
    let fd: number;
    try {
      fd = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY);
    } catch {
      return undefined;
    }
    try {
      const args = new DataView(new ArrayBuffer(ARGS.SIZE));
      args.setUint32(ARGS.fd, fd, true);
      fill(args);
      return this.call(program, args) === 0 ? args : undefined;
    } finally {
      closeSync(fd);
    }
  }

  private call(program: string, args: DataView): number {
    // struct bpf_test_run_opts of libbpf 1.1: sz 0, ctx_in 32, ctx_size_in 48, retval 56.
    const context: bigint = koffi.address(koffi.alloc('uint8_t', ARGS.SIZE));
    const shared = new Uint8Array(koffi.view(context, ARGS.SIZE));
    const bytes = new Uint8Array(args.buffer);
    shared.set(bytes);
    const options = new DataView(new ArrayBuffer(80));
    options.setBigUint64(0, 80n, true);
    options.setBigUint64(32, context, true);
    options.setUint32(48, ARGS.SIZE, true);
    const result: number = testRun(this.object.programFd(program), new Uint8Array(options.buffer));
    bytes.set(shared);
    koffi.free(context);
    if (result === 0) return options.getUint32(56, true);
    throw new RxError('RXS_SYS', {
      doing: 'running the BPF program',
      subject: program,
      why: errnoText(result),
      hint: 'programs of type "syscall" need kernel 5.14 and CAP_BPF',
    });
  }
}

function readAction(row: DataView, at: number): ActionDetail {
  return {
    name: text(row, at + ACTION.name),
    handler: text(row, at + ACTION.handler),
    thread: text(row, at + ACTION.thread) || undefined,
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
    poll: text(rows, at + NAPI.poll),
    address,
    before: Array.from({ length: WORDS }, (_, i) => rows.getBigUint64(at + NAPI.before + i * 8, true)),
    queues: queues.flatMap((napi, queue) => (napi === address ? [queue] : [])),
  };
}
