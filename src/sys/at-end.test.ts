import { describe, expect, it } from 'vitest';
import { Undoing, atEnd } from './at-end.js';

describe('what is undone at the end', () => {
  it('goes in the opposite order, each once, whatever fails', () => {
    const done: string[] = [];
    const undoing = new Undoing();
    const second = (): void => void done.push('second');
    undoing.add(() => void done.push('first'));
    undoing.add(second);
    undoing.add(() => {
      done.push('third');
      throw new Error('busy');
    });
    undoing.add(() => void done.push('fourth'));
    expect(undoing.delete(second)).toBe(true);
    expect(undoing.delete(second)).toBe(false);
    undoing.run();
    undoing.run();
    expect(done).toEqual(['fourth', 'third', 'first']);
    expect(undoing.empty).toBe(true);
  });

  it('listens to signals only while there is something to undo', () => {
    const count = (): number => process.listenerCount('SIGHUP') + process.listenerCount('exit');
    const before = count();
    const [forget, other] = [atEnd(() => {}), atEnd(() => {})];
    expect(count()).toBe(before + 2);
    forget();
    forget();
    expect(count()).toBe(before + 2);
    other();
    expect(count()).toBe(before);
  });
});
