import { describe, expect, it } from 'vitest';
import { parseAddress } from '../packet/address.js';
import { MICROSOFT_KEY, VECTORS } from '../../test/support/rss-vectors.js';
import { keyBytesFor, toeplitz } from './toeplitz.js';

describe('the Toeplitz hash', () => {
  it.each(VECTORS)(
    'of %s:%i from %s:%i is what Microsoft publishes',
    (to, toPort, from, fromPort, ip, ports) => {
      const addresses = [...parseAddress(from)!, ...parseAddress(to)!];
      expect(toeplitz(MICROSOFT_KEY, Uint8Array.from(addresses))).toBe(ip);
      const both = [fromPort >> 8, fromPort & 255, toPort >> 8, toPort & 255];
      expect(toeplitz(MICROSOFT_KEY, Uint8Array.from([...addresses, ...both]))).toBe(ports);
    },
  );

  it('needs four bytes of key more than it has input', () => {
    expect(keyBytesFor(new Uint8Array(36))).toBe(40);
  });
});
