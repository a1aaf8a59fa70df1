/**
 * Runs extended BPF as the kernel would, and complains where its verifier would: about a register or stack word that
 * was never written, a load outside the window, an instruction that nothing leads to. Only what src/filter emits.
 */
import type { ExtendedInstruction } from '../../src/filter/extended.js';

const WINDOW = 0x1_0000_0000;
const STACK = 0x2_0000_0000;

/** What a packet is for a filter. */
export interface Input {
  readonly bytes: Uint8Array;
  /** Bytes of it that were kept; default: all. */
  readonly caplen?: number;
  readonly length: number;
  /** 0x10000 | TCI. */
  readonly vlan?: number;
}

function arithmetic(operation: number, a: number, b: number): number {
  switch (operation) {
    case 0x00:
      return a + b;
    case 0x10:
      return a - b;
    case 0x20:
      return Math.imul(a, b);
    case 0x30:
      return Math.floor(a / b);
    case 0x40:
      return a | b;
    case 0x50:
      return a & b;
    case 0x60:
      if (b > 31) throw new Error(`shift by ${b}`);
      return a << b;
    case 0x70:
      if (b > 31) throw new Error(`shift by ${b}`);
      return a >>> b;
    case 0x80:
      return -a;
    case 0x90:
      return a % b;
    case 0xa0:
      return a ^ b;
    case 0xb0:
      return b;
    default:
      throw new Error(`operation ${operation}`);
  }
}

function holds(operation: number, a: number, b: number): boolean {
  switch (operation) {
    case 0x10:
      return a === b;
    case 0x20:
      return a > b;
    case 0x30:
      return a >= b;
    case 0x40:
      return (a & b) !== 0;
    case 0x50:
      return a !== b;
    case 0xa0:
      return a < b;
    case 0xb0:
      return a <= b;
    default:
      throw new Error(`jump ${operation}`);
  }
}

function swapped(value: number, bits: number): number {
  const half = ((value & 0xff) << 8) | ((value >>> 8) & 0xff);
  if (bits === 16) return half;
  return ((half << 16) | ((value >>> 24) & 0xff) | ((value >>> 8) & 0xff00)) >>> 0;
}

/** Where control can go from each instruction, as the verifier's first pass sees it. */
export function unreachable(program: readonly ExtendedInstruction[]): number[] {
  const seen = new Set<number>();
  const todo = [0];
  for (let at = todo.pop(); at !== undefined; at = todo.pop()) {
    if (at > program.length || at < 0) throw new Error(`a jump leads to ${at} of ${program.length}`);
    if (seen.has(at) || at === program.length) continue;
    seen.add(at);
    const { code, offset } = program[at]!;
    const jump = (code & 0x07) === 5 || (code & 0x07) === 6;
    if (jump && offset < 0) throw new Error(`${at} jumps backward`);
    if (code !== 0x05) todo.push(at + 1);
    if (jump) todo.push(at + 1 + offset);
  }
  return program.flatMap((_, index) => (seen.has(index) ? [] : [index]));
}

/** Runs a program over a packet. `window`: how many bytes there are to load from, whatever the packet has. */
export function run(program: readonly ExtendedInstruction[], input: Input, window: number): number {
  const { bytes, length, vlan = 0 } = input;
  const caplen = input.caplen ?? bytes.length;
  const r: (number | undefined)[] = Array<undefined>(11).fill(undefined);
  const stack = new Map<number, number>();
  [r[1], r[2], r[3], r[4], r[10]] = [WINDOW, caplen, length, vlan, STACK];
  const get = (register: number): number => {
    const value = r[register];
    if (value === undefined) throw new Error(`r${register} was never written`);
    return value;
  };
  const load = (address: number, size: number): number => {
    if (address < WINDOW || address + size > WINDOW + window) throw new Error(`load at ${address - WINDOW}`);
    let value = 0;
    for (let i = size - 1; i >= 0; i--) value = value * 256 + (bytes[address - WINDOW + i] ?? 0xa5);
    return value;
  };
  let at = 0;
  for (; at < program.length; at++) {
    const { code, dst, src, offset, imm } = program[at]!;
    const kind = code & 0x07;
    const operand = (): number => ((code & 0x08) !== 0 ? get(src) : imm >>> 0);
    if (code === 0xbf) r[dst] = get(src);
    else if (code === 0x0f) r[dst] = get(dst) + get(src);
    else if (code === 0xdc) r[dst] = swapped(get(dst), imm);
    else if (kind === 4) {
      const operation = code & 0xf0;
      const a = operation === 0xb0 ? 0 : get(dst) >>> 0;
      r[dst] = arithmetic(operation, a, operation === 0x80 ? 0 : operand() >>> 0) >>> 0;
    } else if (code === 0x61 && src === 10) {
      const value = stack.get(offset);
      if (value === undefined) throw new Error(`stack at ${offset} was never written`);
      r[dst] = value;
    } else if (code === 0x61 || code === 0x69 || code === 0x71) {
      r[dst] = load(get(src) + offset, code === 0x61 ? 4 : code === 0x69 ? 2 : 1);
    } else if (code === 0x62) stack.set(offset, imm >>> 0);
    else if (code === 0x63) stack.set(offset, get(src) >>> 0);
    else if (code === 0x05) at += offset;
    else if (kind === 6) {
      if (holds(code & 0xf0, get(dst) >>> 0, operand() >>> 0)) at += offset;
    } else if (kind === 5) {
      if (holds(code & 0xf0, get(dst), operand())) at += offset;
    } else throw new Error(`code 0x${code.toString(16)}`);
  }
  if (at !== program.length) throw new Error(`left at ${at} of ${program.length}`);
  return get(0);
}
