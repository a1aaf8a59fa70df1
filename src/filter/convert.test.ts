import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { run, unreachable } from '../../test/support/extended-machine.js';
import { expressions, packets } from '../../test/support/filters.js';
import { RxError } from '../base/errors.js';
import { PcapFilter } from '../sys/libpcap.js';
import { CLASS, type ClassicInstruction, EXTENSION, MODE, OP, OPERAND_X, readClassic } from './classic.js';
import { convert } from './convert.js';

const WINDOW = 1536;
const ROOM = { window: WINDOW, instructions: 4094 };
const runs = process.env['RXSTAMP_LONG'] === '1' ? 20_000 : 400;

const line = (code: number, k = 0, jt = 0, jf = 0): ClassicInstruction => ({ code, jt, jf, k: k >>> 0 });
const ABS_WORD = CLASS.LD | MODE.ABS;
const ABS_BYTE = CLASS.LD | 0x10 | MODE.ABS;
const IND_BYTE = CLASS.LD | 0x10 | MODE.IND;
const SET_A = CLASS.LD | MODE.IMM;
const SET_X = CLASS.LDX | MODE.IMM;
const RETURN_A = CLASS.RET | 0x10;
const JUMP = CLASS.JMP;
const YES = line(CLASS.RET, 262_144);
const NO = line(CLASS.RET, 0);

/** What a handwritten program says about a packet; every one of its instructions must be reachable. */
function verdict(
  program: readonly ClassicInstruction[],
  bytes: number[],
  length = bytes.length,
  vlan = 0,
): number {
  const converted = convert(program, ROOM).program;
  expect(unreachable(converted)).toEqual([]);
  return run(converted, { bytes: Uint8Array.from(bytes), length, vlan }, WINDOW);
}

function refusal(program: readonly ClassicInstruction[], room = ROOM): string {
  try {
    convert(program, room);
  } catch (error) {
    return error instanceof RxError ? error.toLine() : String(error);
  }
  return 'nothing was thrown';
}

describe('a converted filter', () => {
  it(`says what libpcap's bpf_filter() says, for ${runs} expressions over 20 packets each`, () => {
    let pairs = 0;
    let yes = 0;
    fc.assert(
      fc.property(expressions, fc.array(packets, { minLength: 20, maxLength: 20 }), (expression, list) => {
        const filter = PcapFilter.compile(expression, { link: 'ethernet', device: undefined, live: false });
        if (typeof filter === 'string') return;
        const { program, reach } = convert(readClassic(filter.instructions()), ROOM);
        expect(unreachable(program)).toEqual([]);
        for (const { bytes, length } of list) {
          const wanted = filter.matches(bytes, length);
          // What lies beyond its reach makes no difference: it is not copied.
          const caplen = Math.min(bytes.length, reach);
          expect(run(program, { bytes: bytes.subarray(0, caplen), length }, WINDOW) !== 0).toBe(wanted);
          pairs++;
          if (wanted) yes++;
        }
        filter.close();
      }),
      { numRuns: runs },
    );
    expect(pairs).toBeGreaterThan(runs * 10);
    expect(yes / pairs).toBeGreaterThan(0.1);
    expect(yes / pairs).toBeLessThan(0.9);
  });

  it('rejects a load beyond the kept bytes, to the byte', () => {
    const program = [line(ABS_WORD, 2), YES];
    expect(verdict(program, [1, 2, 3, 4, 5])).toBe(0);
    expect(verdict(program, [1, 2, 3, 4, 5, 6])).toBe(1);
    const header = [line(CLASS.LDX | 0x10 | MODE.MSH, 3), YES];
    expect([verdict(header, [0, 0, 0]), verdict(header, [0, 0, 0, 0])]).toEqual([0, 1]);
  });

  it('rejects a computed offset beyond the packet, the window, and 2^32', () => {
    const at = (x: number, k: number): ClassicInstruction[] => [line(SET_X, x), line(IND_BYTE, k), YES];
    const bytes = [0, 0, 0, 7];
    expect(verdict(at(2, 1), bytes)).toBe(1);
    expect(verdict(at(3, 1), bytes)).toBe(0);
    for (const x of [WINDOW - 1, WINDOW, 0x7fffffff, 0xffffffff, 0xfffffffe]) {
      expect(verdict(at(x, 1), bytes), String(x)).toBe(0);
    }
  });

  it('reads numbers in network order', () => {
    const program = [line(ABS_WORD, 0), line(RETURN_A)];
    expect(verdict(program, [0x80, 2, 3, 4])).toBe(0x80020304);
    expect(verdict([line(CLASS.LD | 0x08 | MODE.ABS, 1), line(RETURN_A)], [1, 0xfe, 3])).toBe(0xfe03);
  });

  it.each([
    ['add', OP.ADD, 0xffffffff, 2, 1],
    ['subtract', OP.SUB, 1, 2, 0xffffffff],
    ['multiply', OP.MUL, 0x10001, 0x10001, 0x20001],
    ['divide', OP.DIV, 0xfffffffe, 2, 0x7fffffff],
    ['remainder', OP.MOD, 0xffffffff, 10, 5],
    ['shift left', OP.LSH, 0x80000001, 1, 2],
    ['shift right', OP.RSH, 0x80000000, 31, 1],
    ['shift out to the left', OP.LSH, 0xffffffff, 32, 0],
    ['shift out to the right', OP.RSH, 0xffffffff, 40, 0],
    ['exclusive or', OP.XOR, 0xff00ff00, 0xffffffff, 0x00ff00ff],
  ])('does arithmetic in 32 bits: %s', (_name, operation, a, b, result) => {
    const constant = [line(SET_A, a), line(CLASS.ALU | operation, b), line(RETURN_A)];
    const byX = [line(SET_A, a), line(SET_X, b), line(CLASS.ALU | operation | OPERAND_X), line(RETURN_A)];
    expect([verdict(constant, []), verdict(byX, [])]).toEqual([result, result]);
  });

  it('negates, and compares without signs', () => {
    expect(verdict([line(SET_A, 1), line(CLASS.ALU | OP.NEG), line(RETURN_A)], [])).toBe(0xffffffff);
    const greater = [line(SET_A, 0x80000000), line(JUMP | OP.JGT, 0x7fffffff, 0, 1), YES, NO];
    expect(verdict(greater, [])).toBe(1);
  });

  it('ends in "no" at a division by zero', () => {
    const byX = [line(SET_A, 5), line(SET_X, 0), line(CLASS.ALU | OP.DIV | OPERAND_X), YES];
    expect(verdict(byX, [])).toBe(0);
    expect(verdict([line(SET_A, 5), line(CLASS.ALU | OP.MOD, 0), YES], [])).toBe(0);
  });

  it('starts with A, X and memory at zero', () => {
    expect(verdict([line(RETURN_A)], [])).toBe(0);
    expect(verdict([line(CLASS.MISC | 0x80), line(RETURN_A)], [])).toBe(0);
    expect(verdict([line(CLASS.LD | MODE.MEM, 15), line(RETURN_A)], [])).toBe(0);
  });

  it('keeps words in memory, from A and from X', () => {
    const program = [
      line(SET_A, 7),
      line(CLASS.ST, 0),
      line(SET_X, 9),
      line(CLASS.STX, 15),
      line(CLASS.LD | MODE.MEM, 15),
      line(CLASS.LDX | MODE.MEM, 0),
      line(CLASS.ALU | OP.SUB | OPERAND_X),
      line(RETURN_A),
    ];
    expect(verdict(program, [])).toBe(2);
  });

  it('knows the length on the wire, whatever was kept', () => {
    expect(verdict([line(CLASS.LD | MODE.LEN), line(RETURN_A)], [1], 1514)).toBe(1514);
  });

  it('takes the VLAN tag from beside the bytes, and no packet for an outgoing one', () => {
    const tag = [line(ABS_BYTE, EXTENSION.VLAN_TAG), line(RETURN_A)];
    const present = [line(ABS_BYTE, EXTENSION.VLAN_TAG_PRESENT), line(RETURN_A)];
    const type = [line(ABS_BYTE, EXTENSION.PACKET_TYPE), line(RETURN_A)];
    expect([verdict(tag, [], 0, 0x1a005), verdict(present, [], 0, 0x1a005)]).toEqual([0xa005, 1]);
    expect([verdict(tag, []), verdict(present, []), verdict(type, [])]).toEqual([0, 0, 0]);
  });

  it('jumps by more than 255, both ways round', () => {
    const filler = Array.from({ length: 300 }, () => line(CLASS.ALU | OP.ADD, 1));
    const program = [line(JUMP | OP.JSET, 1, 0, 1), line(JUMP, 300), ...filler, line(RETURN_A)];
    expect(verdict(program, [])).toBe(300);
  });

  it('leaves out what nothing leads to', () => {
    const program = [line(JUMP, 2), line(ABS_WORD, 9999), line(JUMP, 0xfffffffe), YES, line(ABS_WORD, 9999)];
    expect(verdict(program, [])).toBe(1);
  });
});

describe('what cannot be a kernel filter is refused', () => {
  it('loops, as protochain makes them', () => {
    const filter = PcapFilter.compile('ip6 protochain 6', {
      link: 'ethernet',
      device: undefined,
      live: false,
    });
    if (typeof filter === 'string') throw new Error(filter);
    expect(refusal(readClassic(filter.instructions()))).toMatch(/^RXS_FILTER: .*loop \(protochain\).*hint: /);
    filter.close();
  });

  it('bytes that are not kept, and only if they are looked at', () => {
    expect(refusal([line(ABS_WORD, WINDOW - 3), YES])).toBe(
      'RXS_FILTER: turning the filter into a kernel program: it looks at byte 1536 of the packet, and 1536 are kept for filters. hint: leave that part out and look at the packets with another tool',
    );
    expect(refusal([line(ABS_WORD, WINDOW - 4), YES])).toBe('nothing was thrown');
  });

  it('more instructions than there is room for', () => {
    const long = [...Array.from({ length: 100 }, () => line(CLASS.ALU | OP.ADD, 1)), YES];
    expect(refusal(long, { window: WINDOW, instructions: 100 })).toMatch(
      /it takes 104 instructions, and there is room for 100/,
    );
    expect(refusal(long, { window: WINDOW, instructions: 104 })).toBe('nothing was thrown');
  });

  it.each([
    ['a jump out of the program', [line(JUMP, 5), YES]],
    ['a program without end', [line(SET_A, 5)]],
    ['no program', []],
    ['memory that there is not', [line(CLASS.ST, 16), YES]],
    ['an unknown question to the kernel', [line(ABS_WORD, 0xfffff008), YES]],
  ])('%s', (_name, program) => {
    expect(refusal(program)).toMatch(/^RXS_FILTER: .*\. hint: ./);
  });
});

describe('how far a filter looks', () => {
  const reach = (text: string): number => {
    const filter = PcapFilter.compile(text, { link: 'ethernet', device: undefined, live: false });
    if (typeof filter === 'string') throw new Error(filter);
    const { reach: bytes } = convert(readClassic(filter.instructions()), ROOM);
    filter.close();
    return bytes;
  };

  it('is what must be copied of a packet, and not more than that', () => {
    expect(reach('arp')).toBe(14);
    expect(reach('host 10.0.0.1')).toBe(42);
    // The port behind an IPv4 header of up to 60 bytes, or behind an IPv6 header.
    expect(reach('udp port 53')).toBe(14 + 60 + 4);
    // Where the TCP header says that its data begins.
    expect(reach('tcp[((tcp[12] & 0xf0) >> 2)] = 0x47')).toBe(14 + 60 + 60 + 1);
    expect(reach('len > 100')).toBe(0);
    expect(reach('ether[ip[2:2]] = 1')).toBe(WINDOW);
  });
});
