/**
 * The Toeplitz hash of receive-side scaling, as Microsoft's RSS specification defines it: for every bit of the input
 * that is set, the 32 bits of the key from that position on, all XORed.
 */

/** Hash of `input` under `key`; the key must be at least four bytes longer. 0 to 2^32 - 1. */
export function toeplitz(key: Uint8Array, input: Uint8Array): number {
  let hash = 0;
  let window = new DataView(key.buffer, key.byteOffset, key.byteLength).getUint32(0);
  for (const [index, byte] of input.entries()) {
    const next = key[index + 4] ?? 0;
    for (let bit = 7; bit >= 0; bit--) {
      if ((byte >> bit) & 1) hash ^= window;
      window = (window << 1) | ((next >> bit) & 1);
    }
  }
  return hash >>> 0;
}

/** Bytes of key that an input needs. */
export function keyBytesFor(input: Uint8Array): number {
  return input.length + 4;
}
