import { describe, expect, it } from 'vitest';
import { belongs, placeFilter } from './places.js';

describe('placeFilter', () => {
  it('names a vector only together with its CPU', () => {
    const places = new Map([
      [25, { cpu: 1, vector: 35 }],
      [26, { cpu: 0, vector: 35 }],
    ]);
    expect(placeFilter(places)).toBe('(CPU==1&&vector==35)||(CPU==0&&vector==35)');
  });

  it('lets nothing pass where no place is known', () => {
    expect(placeFilter(new Map())).toBe('vector==0');
  });
});

describe('belongs', () => {
  const place = { cpu: 1, vector: 35 };
  const entry = { time: 1_000, vector: 35 };

  it('takes the entry in front where the interrupt goes there', () => {
    expect(belongs(entry, 1_400, 1, place)).toBe(true);
  });

  it('does not take another vector, another CPU, an old one, or any where the place is not known', () => {
    expect(belongs({ ...entry, vector: 36 }, 1_400, 1, place)).toBe(false);
    expect(belongs(entry, 1_400, 0, place)).toBe(false);
    expect(belongs(entry, 2_000_000_000, 1, place)).toBe(false);
    expect(belongs(entry, 1_400, 1, undefined)).toBe(false);
    expect(belongs(undefined, 1_400, 1, place)).toBe(false);
  });
});
