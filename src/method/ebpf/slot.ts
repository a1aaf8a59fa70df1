/**
 * Writes a filter into the slot that bpf/lib/slot.h keeps for it, in the bytes of the object file. Pure. Nothing in the
 * object moves: the slot is a run of instructions that do nothing, and as many stand there afterwards.
 */
import { RxError } from '../../base/errors.js';
import { LIMITS } from './layout.gen.js';

/** `goto +0`. */
const NOTHING = Buffer.from([0x05, 0, 0, 0, 0, 0, 0, 0]);
/** `w0 = 0; if w0 == 0 goto +n`: jumps over what is left of the run, in a way that the verifier can follow and drops. */
const SKIP = Buffer.from([0xb4, 0, 0, 0, 0, 0, 0, 0, 0x16, 0, 0, 0, 0, 0, 0, 0]);
const BYTES = 8;

/** Instructions that a filter may have. */
export const SLOT_ROOM = LIMITS.SLOT_INSTRUCTIONS - SKIP.length / BYTES;

/** Offsets of the runs of exactly the slot's length. */
function slots(object: Uint8Array): number[] {
  const bytes = Buffer.from(object.buffer, object.byteOffset, object.byteLength);
  const found: number[] = [];
  for (let at = 0; at + BYTES <= bytes.length; ) {
    let end = at;
    while (end + BYTES <= bytes.length && bytes.compare(NOTHING, 0, BYTES, end, end + BYTES) === 0)
      end += BYTES;
    if (end - at === LIMITS.SLOT_INSTRUCTIONS * BYTES) found.push(at);
    at = end + BYTES;
  }
  return found;
}

/**
 * A copy of the object with the filter in its slot, at the slot's end: behind it there must be nothing to walk over.
 * @param filter instructions that end by falling out, at most {@link SLOT_ROOM}
 * @throws RxError RXS_BAD_OBJECT when the object has no slot or several
 */
export function withFilter(object: Uint8Array, filter: Uint8Array): Uint8Array {
  const [at, ...more] = slots(object);
  if (at === undefined || more.length > 0 || filter.length > SLOT_ROOM * BYTES) {
    throw new RxError('RXS_BAD_OBJECT', {
      doing: 'writing the filter into the BPF object',
      why: at === undefined ? 'it has no place for one' : 'it has no one place for one',
      hint: 'build it again with `npm run build`, or reinstall rxstamp',
    });
  }
  const patched = Buffer.from(object);
  const skip = Buffer.from(SKIP);
  const start = at + LIMITS.SLOT_INSTRUCTIONS * BYTES - filter.length;
  skip.writeInt16LE((start - at) / BYTES - SKIP.length / BYTES, BYTES + 2);
  patched.set(skip, at);
  patched.set(filter, start);
  return patched;
}
