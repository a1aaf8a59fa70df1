/**
 * Classic BPF to extended BPF, for the slot in bpf/lib/slot.h. Pure.
 *
 * On entry r1 points at `window` readable bytes, w2 is how many of them are the packet's, w3 the length of the whole
 * packet, w4 its VLAN tag (0x10000 | TCI, or 0). On leaving, which is falling out at the end, w0 is not 0 when the
 * packet is wanted. A is w0, X is w5, the memory words lie on the stack, r6 and r7 are scratch.
 *
 * The semantics are those of libpcap's bpf_filter(): all arithmetic in 32 bits, a load beyond the packet ends in "no",
 * so does a division by zero, a shift by more than 31 gives 0. What the verifier asks for on top: registers and memory
 * start at 0, every load is in bounds of the window whatever the packet, and no instruction is unreachable.
 */
import { RxError } from '../base/errors.js';
import {
  CLASS,
  type ClassicInstruction,
  EXTENSION,
  MEMORY_WORDS,
  MODE,
  OP,
  OPERAND_X,
  isExtension,
  loadSize,
  successors,
  classOf,
  isTxa,
  modeOf,
  operationOf,
} from './classic.js';
import { CODE, type ExtendedInstruction, JUMP32 } from './extended.js';
import { reachOf } from './ranges.js';

const A = 0;
const BYTES = 1;
const CAPLEN = 2;
const LENGTH = 3;
const VLAN = 4;
const X = 5;
const AT = 6;
const END = 7;
const FRAME = 10;

/** What a filter became. */
export interface Converted {
  readonly program: readonly ExtendedInstruction[];
  /** Bytes from the start of the packet that it can look at: what must be copied. */
  readonly reach: number;
}

/** What a converted filter may take. */
export interface Room {
  /** Bytes of the packet that can be looked at. */
  readonly window: number;
  /** Most instructions. */
  readonly instructions: number;
}

/** The expression cannot become a kernel filter. @throws RxError RXS_FILTER */
function refuse(why: string, hint: string): never {
  throw new RxError('RXS_FILTER', { doing: 'turning the filter into a kernel program', why, hint });
}

/** Jump targets that are no instruction of the classic program. */
const REJECT = -1;
const FINISH = -2;

const LOAD = { 1: CODE.LOAD_BYTE, 2: CODE.LOAD_HALF, 4: CODE.LOAD_WORD } as const;

class Emitter {
  readonly out: ExtendedInstruction[] = [];
  private readonly starts = new Map<number, number>();
  private readonly jumps: { readonly at: number; readonly target: number }[] = [];

  emit(code: number, dst: number, src = 0, imm = 0, offset = 0): void {
    this.out.push({ code, dst, src, offset, imm: imm | 0 });
  }

  jump(code: number, target: number, dst = 0, src = 0, imm = 0): void {
    this.jumps.push({ at: this.out.length, target });
    this.emit(code, dst, src, imm);
  }

  /** The next instruction is where jumps to `target` land. */
  label(target: number): void {
    this.starts.set(target, this.out.length);
  }

  wants(target: number): boolean {
    return this.jumps.some((jump) => jump.target === target);
  }

  resolve(): ExtendedInstruction[] {
    for (const { at, target } of this.jumps) {
      const offset = (this.starts.get(target) as number) - at - 1;
      this.out[at] = { ...(this.out[at] as ExtendedInstruction), offset };
    }
    return this.out;
  }
}

const jump32 = (operation: number, byX: boolean): number => JUMP32.CLASS | operation | (byX ? OPERAND_X : 0);
const wordAt = (k: number): number => -4 * (k + 1);

/** Which instructions can be reached. @throws RxError RXS_FILTER for loops and for what is no classic BPF */
function reachable(program: readonly ClassicInstruction[]): boolean[] {
  const seen = program.map((_, index) => index === 0);
  for (const index of program.keys()) {
    if (!seen[index]) continue;
    for (const next of successors(program, index)) {
      if (next <= index)
        refuse('it has a loop (protochain), which a kernel filter cannot', 'name the header with proto');
      if (next >= program.length) refuse(`instruction ${index} leads out of it`, 'please report this');
      seen[next] = true;
    }
  }
  return seen;
}

function load(to: Emitter, instruction: ClassicInstruction, room: Room): void {
  const { code, k } = instruction;
  const target = classOf(code) === CLASS.LD ? A : X;
  const mode = modeOf(code);
  if (mode === MODE.IMM) return to.emit(CODE.MOVE32_K, target, 0, k);
  if (mode === MODE.LEN) return to.emit(CODE.MOVE32_X, target, LENGTH);
  if (mode === MODE.MEM) return to.emit(CODE.LOAD_WORD, target, FRAME, 0, wordAt(k));
  if (isExtension(instruction)) return extension(to, k);
  const size = mode === MODE.MSH ? 1 : loadSize(code);
  if (k + size > room.window) {
    refuse(
      `it looks at byte ${k + size - 1} of the packet, and ${room.window} are kept for filters`,
      'leave that part out and look at the packets with another tool',
    );
  }
  if (mode === MODE.IND) {
    // Two checks: against the window for the verifier, which also rules out that X + k wraps, and against the packet.
    to.emit(CODE.MOVE32_X, AT, X);
    to.jump(CODE.JUMP64_GREATER_K, REJECT, AT, 0, room.window - k - size);
    to.emit(CODE.MOVE32_X, END, AT);
    to.emit(CODE.ALU32_K | OP.ADD, END, 0, k + size);
    to.jump(jump32(JUMP32.GREATER, true), REJECT, END, CAPLEN);
    to.emit(CODE.ADD64_X, AT, BYTES);
    to.emit(LOAD[size], target, AT, 0, k);
  } else {
    to.jump(jump32(JUMP32.LESS, false), REJECT, CAPLEN, 0, k + size);
    to.emit(LOAD[size], target, BYTES, 0, k);
  }
  if (size > 1) to.emit(CODE.TO_BIG_ENDIAN, target, 0, size * 8);
  if (mode === MODE.MSH) {
    to.emit(CODE.ALU32_K | OP.AND, X, 0, 0x0f);
    to.emit(CODE.ALU32_K | OP.LSH, X, 0, 2);
  }
}

function extension(to: Emitter, k: number): void {
  switch (k) {
    case EXTENSION.PACKET_TYPE:
      // Received, whatever kind: libpcap asks only whether it is PACKET_OUTGOING (4).
      return to.emit(CODE.MOVE32_K, A, 0, 0);
    case EXTENSION.VLAN_TAG:
      to.emit(CODE.MOVE32_X, A, VLAN);
      return to.emit(CODE.ALU32_K | OP.AND, A, 0, 0xffff);
    case EXTENSION.VLAN_TAG_PRESENT:
      to.emit(CODE.MOVE32_X, A, VLAN);
      return to.emit(CODE.ALU32_K | OP.RSH, A, 0, 16);
    default:
      return refuse(`it asks the kernel for extension ${k - 0xfffff000}`, 'leave that part out');
  }
}

function operate(to: Emitter, { code, k }: ClassicInstruction): void {
  const operation = operationOf(code);
  const byX = (code & OPERAND_X) !== 0;
  const shift = operation === OP.LSH || operation === OP.RSH;
  const divide = operation === OP.DIV || operation === OP.MOD;
  if (operation === OP.NEG) return to.emit(CODE.ALU32_K | OP.NEG, A);
  if (!byX) {
    // A constant 0 as divisor never gets here: convert() made it a return.
    if (shift && k > 31) return to.emit(CODE.MOVE32_K, A, 0, 0);
    return to.emit(CODE.ALU32_K | operation, A, 0, k);
  }
  if (divide) to.jump(jump32(JUMP32.EQUAL, false), REJECT, X, 0, 0);
  if (shift) {
    to.emit(jump32(JUMP32.LESS, false), X, 0, 32, 2);
    to.emit(CODE.MOVE32_K, A, 0, 0);
    to.emit(CODE.JUMP, 0, 0, 0, 1);
  }
  to.emit(CODE.ALU32_X | operation, A, X);
}

const INVERSE: Readonly<Record<number, number | undefined>> = {
  [OP.JEQ]: JUMP32.NOT_EQUAL,
  [OP.JGT]: JUMP32.LESS_EQUAL,
  [OP.JGE]: JUMP32.LESS,
};

function branch(to: Emitter, { code, jt, jf, k }: ClassicInstruction, index: number): void {
  const operation = operationOf(code);
  const next = index + 1;
  if (operation === OP.JA) return to.jump(CODE.JUMP, next + k);
  if (jt === jf) return to.jump(CODE.JUMP, next + jt);
  const byX = (code & OPERAND_X) !== 0;
  const inverse = INVERSE[operation];
  const jump = (what: number, target: number): void =>
    to.jump(jump32(what, byX), target, A, byX ? X : 0, byX ? 0 : k);
  if (jt === 0 && inverse !== undefined) return jump(inverse, next + jf);
  jump(operation, next + jt);
  if (jf !== 0) to.jump(CODE.JUMP, next + jf);
}

function leave(to: Emitter, { code, k }: ClassicInstruction): void {
  const byA = (code & 0x18) === 0x10;
  if (!byA && k === 0) return to.jump(CODE.JUMP, REJECT);
  if (!byA) to.emit(CODE.MOVE32_K, A, 0, 1);
  to.jump(CODE.JUMP, FINISH);
}

function one(to: Emitter, instruction: ClassicInstruction, index: number, room: Room): void {
  const { code, k } = instruction;
  switch (classOf(code)) {
    case CLASS.LD:
    case CLASS.LDX:
      return load(to, instruction, room);
    case CLASS.ST:
      return to.emit(CODE.STORE_WORD, FRAME, A, 0, wordAt(k));
    case CLASS.STX:
      return to.emit(CODE.STORE_WORD, FRAME, X, 0, wordAt(k));
    case CLASS.ALU:
      return operate(to, instruction);
    case CLASS.JMP:
      return branch(to, instruction, index);
    case CLASS.RET:
      return leave(to, instruction);
    default:
      return isTxa(code) ? to.emit(CODE.MOVE32_X, A, X) : to.emit(CODE.MOVE32_X, X, A);
  }
}

/** A division by the constant zero is a "no", so that nothing behind it counts as reached. */
function plain(instruction: ClassicInstruction): ClassicInstruction {
  const { code, k } = instruction;
  const divides =
    (code & 0x0f) === CLASS.ALU && (operationOf(code) === OP.DIV || operationOf(code) === OP.MOD);
  return divides && k === 0 ? { code: CLASS.RET, jt: 0, jf: 0, k: 0 } : instruction;
}

const usesMemory = ({ code }: ClassicInstruction): boolean =>
  classOf(code) === CLASS.ST ||
  classOf(code) === CLASS.STX ||
  (classOf(code) <= CLASS.LDX && modeOf(code) === MODE.MEM);

/** Converts a compiled filter. @throws RxError RXS_FILTER when it loops, looks too far or is too long */
export function convert(filter: readonly ClassicInstruction[], room: Room): Converted {
  const program = filter.map(plain);
  if (program.length === 0) refuse('it is empty', 'please report this');
  const seen = reachable(program);
  const to = new Emitter();
  to.emit(CODE.MOVE32_K, A, 0, 0);
  to.emit(CODE.MOVE32_K, X, 0, 0);
  const words = new Set(program.filter((line, index) => seen[index] && usesMemory(line)).map(({ k }) => k));
  for (const word of words) {
    if (word >= MEMORY_WORDS) refuse(`it uses memory word ${word}`, 'please report this');
    to.emit(CODE.STORE_WORD_K, FRAME, 0, 0, wordAt(word));
  }
  for (const [index, line] of program.entries()) {
    if (!seen[index]) continue;
    to.label(index);
    one(to, line, index, room);
  }
  if (to.wants(REJECT)) {
    to.label(REJECT);
    to.emit(CODE.MOVE32_K, A, 0, 0);
  }
  to.label(FINISH);
  const out = to.resolve();
  if (out.length > room.instructions) {
    refuse(
      `it takes ${out.length} instructions, and there is room for ${room.instructions}`,
      'shorten it: name networks instead of hosts, or port ranges instead of ports',
    );
  }
  return { program: out, reach: Math.min(reachOf(program), room.window) };
}
