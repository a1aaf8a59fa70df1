import { describe, expect, it } from 'vitest';
import { Features, YES, allOf, anyOf, couldNotTell, no } from './engine.js';

describe('answers', () => {
  it('are asked once when they are sure, again when they are not', () => {
    const features = new Features();
    let asked = 0;
    const ask = (answer: typeof YES) => () => {
      asked++;
      return answer;
    };
    expect(features.answer('a', ask(couldNotTell('no privilege'))).possible).toBe('unknown');
    expect(features.answer('a', ask(YES)).possible).toBe('yes');
    expect(features.answer('a', ask(no('never asked'))).possible).toBe('yes');
    expect(asked).toBe(2);
    expect(features.answer('b', ask(no('not here')))).toEqual({ possible: 'no', reason: 'not here' });
    expect(features.answer('b', ask(YES)).possible).toBe('no');
  });

  it('turn a failure of the question into "could not tell"', () => {
    const answer = new Features().answer('x', () => {
      throw new Error('out of memory');
    });
    expect(answer).toEqual({ possible: 'unknown', reason: 'out of memory' });
  });

  it('join: one "no" closes all, one "yes" opens any', () => {
    const unsure = couldNotTell('?');
    expect(allOf([YES, unsure, no('n')]).possible).toBe('no');
    expect(allOf([YES, unsure]).possible).toBe('unknown');
    expect(allOf([YES, YES])).toBe(YES);
    expect(anyOf([no('n'), unsure, YES]).possible).toBe('yes');
    expect(anyOf([no('n'), unsure]).possible).toBe('unknown');
    expect(anyOf([no('n'), no('m')]).reason).toBe('n');
  });
});
