import { describe, expect, it } from 'vitest';
import { METHOD_NAMES } from '../../method/names.js';
import { readCompareOptions } from './options.js';

describe('the options of compare', () => {
  it('default to every method', () => {
    expect(readCompareOptions('eth0', {})).toEqual({
      interface: 'eth0',
      irq: undefined,
      queue: undefined,
      methods: METHOD_NAMES,
      count: 2000,
      durationNs: 20e9,
      rounds: 5,
      sliceNs: 1e9,
      load: false,
      company: true,
      json: false,
    });
  });

  it('take a list of methods, and no rounds', () => {
    const options = readCompareOptions(undefined, { methods: 'ebpf, perf', rounds: '0', company: false });
    expect([options.methods, options.rounds, options.company]).toEqual([['ebpf', 'perf'], 0, false]);
  });

  it.each([
    [{ methods: 'ebpf,ebfp' }, 'RXS_USAGE: reading --methods "ebfp": no such method'],
    [{ rounds: 'x' }, 'RXS_USAGE'],
    [{ load: true, irq: '25' }, 'RXS_USAGE: reading --load'],
  ])('refuse %j', (raw, words) => {
    let text = '';
    try {
      readCompareOptions(undefined, raw);
    } catch (error) {
      text = (error as { toLine(): string }).toLine();
    }
    expect(text.slice(0, words.length)).toBe(words);
  });
});
