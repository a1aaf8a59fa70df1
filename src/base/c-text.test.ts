import { describe, expect, it } from 'vitest';
import { cText } from './c-text.js';

describe('text as C keeps it', () => {
  const bytes = Buffer.from('éth0\0old\0full');

  it('ends at the first zero', () => expect(cText(bytes)).toBe('éth0'));
  it('may fill its field', () => expect(cText(bytes.subarray(10))).toBe('full'));
  it('may be empty', () => expect(cText(bytes.subarray(5, 9))).toBe(''));
  it('is taken from where the field is', () => expect(cText(bytes.subarray(6, 9))).toBe('old'));
});
