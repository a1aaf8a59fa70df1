/**
 * Classic BPF, as libpcap's compiler writes it (linux/bpf_common.h, linux/filter.h): an accumulator A, an index X,
 * sixteen words of memory, jumps forward only. Pure.
 */

/** One instruction, `struct bpf_insn`. `k` is unsigned. */
export interface ClassicInstruction {
  readonly code: number;
  readonly jt: number;
  readonly jf: number;
  readonly k: number;
}

/** Bits 0-2 of a code. */
export const CLASS = { LD: 0, LDX: 1, ST: 2, STX: 3, ALU: 4, JMP: 5, RET: 6, MISC: 7 } as const;

/** Bits 5-7 of a load's code: where from. */
export const MODE = { IMM: 0x00, ABS: 0x20, IND: 0x40, MEM: 0x60, LEN: 0x80, MSH: 0xa0 } as const;

/** Bits 4-7 of the code of an operation or a jump. */
export const OP = {
  ADD: 0x00,
  SUB: 0x10,
  MUL: 0x20,
  DIV: 0x30,
  OR: 0x40,
  AND: 0x50,
  LSH: 0x60,
  RSH: 0x70,
  NEG: 0x80,
  MOD: 0x90,
  XOR: 0xa0,
  JA: 0x00,
  JEQ: 0x10,
  JGT: 0x20,
  JGE: 0x30,
  JSET: 0x40,
} as const;

/** The {@link CLASS} of a code. */
export const classOf = (code: number): number => code & 0x07;
/** The {@link MODE} of a load. */
export const modeOf = (code: number): number => code & 0xe0;
/** The {@link OP} of an operation or a jump. */
export const operationOf = (code: number): number => code & 0xf0;
/** X is copied to A; without, among those of class MISC: A to X. */
export const isTxa = (code: number): boolean => (code & 0xf8) === 0x80;

/** Bit 3: the operand is X, not `k`. */
export const OPERAND_X = 0x08;

/** Words of scratch memory. */
export const MEMORY_WORDS = 16;

/**
 * Loads from 0xfffff000 on ask Linux about the packet instead of reading bytes (SKF_AD_OFF and what follows it in
 * linux/filter.h). libpcap writes these when it compiles for a live interface.
 */
export const EXTENSION = {
  PACKET_TYPE: 0xfffff004,
  VLAN_TAG: 0xfffff02c,
  VLAN_TAG_PRESENT: 0xfffff030,
} as const;

const FIRST_EXTENSION = 0xfffff000;

/** Bytes that a load from the packet reads, by bits 3-4 of its code. */
export function loadSize(code: number): 1 | 2 | 4 {
  const size = code & 0x18;
  return size === 0x00 ? 4 : size === 0x08 ? 2 : 1;
}

/** True for an absolute load that is no load of bytes. */
export function isExtension(instruction: ClassicInstruction): boolean {
  const { code, k } = instruction;
  return classOf(code) === CLASS.LD && modeOf(code) === MODE.ABS && k >= FIRST_EXTENSION;
}

/** Reads an array of `struct bpf_insn`, 8 bytes each. */
export function readClassic(bytes: Uint8Array): ClassicInstruction[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: bytes.byteLength >> 3 }, (_, index) => ({
    code: view.getUint16(index * 8, true),
    jt: view.getUint8(index * 8 + 2),
    jf: view.getUint8(index * 8 + 3),
    k: view.getUint32(index * 8 + 4, true),
  }));
}

/** Where instruction `index` goes on; empty behind a return. Jumps backward come out as what they are. */
export function successors(program: readonly ClassicInstruction[], index: number): number[] {
  const { code, jt, jf, k } = program[index] as ClassicInstruction;
  const kind = classOf(code);
  if (kind === CLASS.RET) return [];
  if (kind !== CLASS.JMP) return [index + 1];
  if (operationOf(code) === OP.JA) return [index + 1 + (k | 0)];
  return [index + 1 + jt, index + 1 + jf];
}
