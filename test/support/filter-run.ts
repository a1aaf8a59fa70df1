/** Runs converted filters in the kernel, by BPF_PROG_TEST_RUN. */
import { readFileSync } from 'node:fs';
import koffi from 'koffi';
import type { Converted } from '../../src/filter/convert.js';
import { encodeExtended } from '../../src/filter/extended.js';
import { LIMITS } from '../../src/method/ebpf/layout.gen.js';
import { withFilter } from '../../src/method/ebpf/slot.js';
import { type Mapping, mapShared } from '../../src/sys/libc.js';
import { BpfObject } from '../../src/sys/libbpf.js';
import { compileBpf } from './compile.js';
import type { Input } from './extended-machine.js';

const HEAD = 16;
const FRAME = new Uint8Array(14);

const Options = koffi.struct('RxTestRunOptions', {
  sz: 'size_t',
  dataIn: 'void *',
  dataOut: 'void *',
  dataSizeIn: 'uint32_t',
  dataSizeOut: 'uint32_t',
  contextIn: 'void *',
  contextOut: 'void *',
  contextSizeIn: 'uint32_t',
  contextSizeOut: 'uint32_t',
  result: 'uint32_t',
  repeat: 'int',
  duration: 'uint32_t',
  flags: 'uint32_t',
  cpu: 'uint32_t',
  batch: 'uint32_t',
});
const testRun = koffi
  .load('libbpf.so.1')
  .func('bpf_prog_test_run_opts', 'int', ['int', koffi.inout(koffi.pointer(Options))]);

/** A filter that is loaded. */
export class KernelRun {
  private readonly object: BpfObject;
  private readonly input: Mapping;
  private readonly program: number;

  /** @throws RxError RXS_BPF_LOAD when the verifier refuses it */
  constructor(filter: Converted) {
    const bytes = readFileSync(compileBpf('test/support/filter-run.bpf.c'));
    this.object = BpfObject.open(withFilter(bytes, encodeExtended(filter.program)), 'filter-run.bpf.o');
    try {
      this.object.load();
    } catch (error) {
      this.object.close();
      throw error;
    }
    this.program = this.object.programFd('filter_run');
    this.input = mapShared(this.object.mapFd('input'), HEAD + LIMITS.FILTER_BYTES, 0, true);
  }

  matches({ bytes, caplen = bytes.length, length, vlan = 0 }: Input): boolean {
    new Uint32Array(this.input.buffer, 0, 3).set([caplen, length, vlan]);
    new Uint8Array(this.input.buffer).set(bytes, HEAD);
    const options = {
      sz: koffi.sizeof(Options),
      dataIn: FRAME,
      dataOut: null,
      dataSizeIn: FRAME.length,
      dataSizeOut: 0,
      contextIn: null,
      contextOut: null,
      contextSizeIn: 0,
      contextSizeOut: 0,
      result: 0,
      repeat: 1,
      duration: 0,
      flags: 0,
      cpu: 0,
      batch: 0,
    };
    const code = testRun(this.program, options) as number;
    if (code !== 0 || options.result > 1) throw new Error(`test run: ${code}, ${options.result}`);
    return options.result === 1;
  }

  close(): void {
    this.input.close();
    this.object.close();
  }
}
