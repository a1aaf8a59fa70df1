/**
 * How far a filter looks: upper bounds of A, X and the memory words at each instruction. Jumps go forward only, so one
 * pass is exact enough. Pure.
 */
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

const ANY = 0xffffffff;

/** Largest value that a register can hold before an instruction. */
interface Bounds {
  a: number;
  x: number;
  readonly memory: number[];
}

const capped = (value: number): number => (value > ANY ? ANY : value);
/** All ones below the highest bit: what a bitwise or can reach. */
const filled = (value: number): number => 2 ** (32 - Math.clz32(value)) - 1;

function afterOperation(code: number, a: number, operand: number, known: boolean): number {
  switch (operationOf(code)) {
    case OP.ADD:
      return capped(a + operand);
    case OP.MUL:
      return capped(a * operand);
    case OP.AND:
      return Math.min(a, operand);
    case OP.OR:
    case OP.XOR:
      return Math.max(filled(a), filled(operand));
    case OP.LSH:
      return known && operand < 32 ? capped(a * 2 ** operand) : ANY;
    case OP.RSH:
      return known ? (operand < 32 ? a >>> operand : 0) : a;
    case OP.DIV:
      return known && operand > 0 ? Math.floor(a / operand) : a;
    case OP.MOD:
      return known && operand > 0 ? Math.min(a, operand - 1) : a;
    default:
      return ANY;
  }
}

function loaded(instruction: ClassicInstruction, bounds: Bounds): number {
  const { code, k } = instruction;
  switch (modeOf(code)) {
    case MODE.IMM:
      return k;
    case MODE.MEM:
      return bounds.memory[k] ?? ANY;
    case MODE.LEN:
      return ANY;
    case MODE.MSH:
      return 60;
    default:
      if (isExtension(instruction))
        return k === EXTENSION.VLAN_TAG_PRESENT ? 1 : k === EXTENSION.PACKET_TYPE ? 7 : 0xffff;
      return 2 ** (8 * loadSize(code)) - 1;
  }
}

function step(instruction: ClassicInstruction, bounds: Bounds): void {
  const { code, k } = instruction;
  const byX = (code & OPERAND_X) !== 0;
  switch (classOf(code)) {
    case CLASS.LD:
      bounds.a = loaded(instruction, bounds);
      break;
    case CLASS.LDX:
      bounds.x = loaded(instruction, bounds);
      break;
    case CLASS.ST:
      bounds.memory[k] = bounds.a;
      break;
    case CLASS.STX:
      bounds.memory[k] = bounds.x;
      break;
    case CLASS.ALU:
      bounds.a = afterOperation(code, bounds.a, byX ? bounds.x : k, !byX);
      break;
    case CLASS.MISC:
      if (isTxa(code)) bounds.a = bounds.x;
      else bounds.x = bounds.a;
      break;
  }
}

function merge(into: Bounds | undefined, from: Bounds): Bounds {
  if (into === undefined) return { a: from.a, x: from.x, memory: [...from.memory] };
  into.a = Math.max(into.a, from.a);
  into.x = Math.max(into.x, from.x);
  for (let word = 0; word < MEMORY_WORDS; word++)
    into.memory[word] = Math.max(into.memory[word] as number, from.memory[word] as number);
  return into;
}

/** One past the last byte that an instruction can load; 0 for one that loads none. */
function reach(instruction: ClassicInstruction, x: number): number {
  const { code, k } = instruction;
  const kind = classOf(code);
  if ((kind !== CLASS.LD && kind !== CLASS.LDX) || isExtension(instruction)) return 0;
  switch (modeOf(code)) {
    case MODE.ABS:
      return k + loadSize(code);
    case MODE.IND:
      return x + k + loadSize(code);
    case MODE.MSH:
      return k + 1;
    default:
      return 0;
  }
}

/**
 * Bytes of the packet that the reachable instructions can load, an upper bound.
 * @param program checked: all jumps forward and inside
 */
export function reachOf(program: readonly ClassicInstruction[]): number {
  const states: (Bounds | undefined)[] = [{ a: 0, x: 0, memory: Array<number>(MEMORY_WORDS).fill(0) }];
  let most = 0;
  for (const [index, instruction] of program.entries()) {
    const bounds = states[index];
    if (bounds === undefined) continue;
    most = Math.max(most, reach(instruction, bounds.x));
    step(instruction, bounds);
    for (const next of successors(program, index)) states[next] = merge(states[next], bounds);
  }
  return most;
}
