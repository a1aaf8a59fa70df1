import { expect, it } from 'vitest';
import { lastWords } from './last-words.js';

it('is the last line of a console without trouble', () => {
  expect(lastWords('[    0.1] one\n[    0.2] two\n\n')).toBe('[    0.2] two');
  expect(lastWords('')).toBe('');
});

it('tells of a panic from where it began', () => {
  const story = [
    '[   55.1] BUG: unable to handle page fault for address: ffffffffc0dead00',
    '[   55.2] RIP: 0010:napi_poll+0x10/0x20',
    '[   55.3] Kernel panic - not syncing: Fatal exception in interrupt',
    '[   55.4] Kernel Offset: 0x12e00000 from 0xffffffff81000000',
  ];
  expect(lastWords(['[    1.0] rxlab: before', ...story, ''].join('\r\n'))).toBe(story.join('\n  '));
});

it('tells of a stall, and not without end', () => {
  const stall = '[  106.2] rcu: INFO: rcu_sched detected stalls on CPUs/tasks:';
  const stack = Array.from({ length: 200 }, (_, line) => `[  106.3] frame ${line}`);
  const told = lastWords([stall, ...stack].join('\n')).split('\n');
  expect([told[0], told.length]).toEqual([stall, 80]);
  expect(told.slice(59, 62).map((line) => line.trim())).toEqual([
    '[  106.3] frame 58',
    '(122 more lines)',
    '[  106.3] frame 181',
  ]);
  expect(told.at(-1)).toContain('frame 199');
});
