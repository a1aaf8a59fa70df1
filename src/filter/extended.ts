/** Extended BPF instructions, as the kernel runs them (linux/bpf.h): only the ones that a filter needs. Pure. */

/** One instruction of 8 bytes. `offset` of a jump counts from the next instruction. */
export interface ExtendedInstruction {
  readonly code: number;
  readonly dst: number;
  readonly src: number;
  readonly offset: number;
  readonly imm: number;
}

/** Codes: class in bits 0-2, source in bit 3, operation or mode and size in bits 3-7. */
export const CODE = {
  /** 32-bit arithmetic; bits 4-7 are those of classic BPF. The upper half becomes 0. */
  ALU32_K: 0x04,
  ALU32_X: 0x0c,
  MOVE32_K: 0xb4,
  MOVE32_X: 0xbc,
  ADD64_X: 0x0f,
  TO_BIG_ENDIAN: 0xdc,
  LOAD_WORD: 0x61,
  LOAD_HALF: 0x69,
  LOAD_BYTE: 0x71,
  STORE_WORD: 0x63,
  STORE_WORD_K: 0x62,
  JUMP: 0x05,
  JUMP64_GREATER_K: 0x25,
} as const;

/** Bits 4-7 of a 32-bit jump's code; bit 3: the operand is a register. */
export const JUMP32 = {
  CLASS: 0x06,
  EQUAL: 0x10,
  GREATER: 0x20,
  NOT_EQUAL: 0x50,
  LESS: 0xa0,
  LESS_EQUAL: 0xb0,
} as const;

/** The bytes of a program. */
export function encodeExtended(program: readonly ExtendedInstruction[]): Uint8Array {
  const bytes = new Uint8Array(program.length * 8);
  const view = new DataView(bytes.buffer);
  for (const [index, { code, dst, src, offset, imm }] of program.entries()) {
    view.setUint8(index * 8, code);
    view.setUint8(index * 8 + 1, dst | (src << 4));
    view.setInt16(index * 8 + 2, offset, true);
    view.setInt32(index * 8 + 4, imm, true);
  }
  return bytes;
}
