/** What a packet socket's filter is made of, besides the expression: `struct sock_filter`, linux/filter.h. */
import { SNAP_BYTES } from '../../sys/packet-socket/frames.js';

/** BPF_LD|BPF_W|BPF_ABS, BPF_JMP|BPF_JEQ|BPF_K, BPF_RET|BPF_K, BPF_LD|BPF_IMM. */
const CODE = { load: 0x20, equal: 0x15, give: 0x06, immediate: 0x00 } as const;
/** SKF_AD_OFF + SKF_AD_PKTTYPE. */
const PACKET_TYPE = 0xffff_f004;
const PACKET_OUTGOING = 4;

type Instruction = readonly [code: number, jt: number, jf: number, k: number];

/** What this machine sends is not received; A is 0 behind it, as at the beginning. */
const INCOMING: readonly Instruction[] = [
  [CODE.load, 0, 0, PACKET_TYPE],
  [CODE.equal, 0, 1, PACKET_OUTGOING],
  [CODE.give, 0, 0, 0],
  [CODE.immediate, 0, 0, 0],
];

function bytesOf(instructions: readonly Instruction[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(instructions.length * 8));
  for (const [i, [code, jt, jf, k]] of instructions.entries()) {
    view.setUint16(i * 8, code, true);
    view.setUint8(i * 8 + 2, jt);
    view.setUint8(i * 8 + 3, jf);
    view.setUint32(i * 8 + 4, k, true);
  }
  return new Uint8Array(view.buffer);
}

/**
 * The filter for incoming packets, of which it keeps no more than their headers.
 * @param expression what libpcap made of one, `struct bpf_insn[]`; undefined: every packet
 */
export function incomingFilter(expression: Uint8Array | undefined): Uint8Array {
  const rest = (expression ?? bytesOf([[CODE.give, 0, 0, SNAP_BYTES]])).slice();
  const view = new DataView(rest.buffer);
  for (let at = 0; at < rest.length; at += 8) {
    if (view.getUint16(at, true) === CODE.give && view.getUint32(at + 4, true) > SNAP_BYTES)
      view.setUint32(at + 4, SNAP_BYTES, true);
  }
  const first = bytesOf(INCOMING);
  const whole = new Uint8Array(first.length + rest.length);
  whole.set(first);
  whole.set(rest, first.length);
  return whole;
}
