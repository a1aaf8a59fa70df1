import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { agentScript, initScript, quote } from './guest-scripts.js';

describe('quote', () => {
  it('gives the shell the very same words back', () => {
    const words = ['plain', 'two words', "it's", '$HOME `id` "x"', '', 'a\nb', '*', 'ä'];
    const script = `for w in ${words.map(quote).join(' ')}; do printf '%s\\0' "$w"; done`;
    expect(spawnSync('sh', ['-c', script]).stdout.toString().split('\0').slice(0, -1)).toEqual(words);
  });
});

describe('scripts of the guest', () => {
  it.each([
    ['init', initScript(['igb', 'overlay'])],
    ['agent', agentScript()],
  ])('%s is shell without errors of syntax', (_, text) => {
    expect(spawnSync('sh', ['-n'], { input: text }).stderr.toString()).toBe('');
  });
});
