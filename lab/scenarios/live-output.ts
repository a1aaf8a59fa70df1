import assert from 'node:assert/strict';
import { scenario } from './scenario.js';

/** Output streams while commands run; commands run side by side; signals reach them and what they started. */
export const liveOutput = scenario({
  name: 'two commands run at the same time, their output comes live, SIGINT ends them',
  needs: { nic: 'igb,queues=2', cpus: 2 },
  start: async (guest) => {
    const loop = guest.start([
      'sh',
      '-c',
      'trap "echo caught; exit 3" INT; while :; do echo tick; sleep 0.1; done',
    ]);
    // A signal before the program is there would meet the shell that starts it, and that ignores SIGINT.
    const plain = guest.start(['sh', '-c', 'echo up; exec sleep 1000']);
    await plain.lines().next();
    const seen: string[] = [];
    for await (const line of loop.lines()) {
      seen.push(line);
      // Both are alive now: this line could not come from a command that had ended.
      if (seen.length === 3) {
        assert.ok(!loop.over && !plain.over);
        loop.kill('SIGINT');
        plain.kill('SIGINT');
      }
    }
    return { seen, loop: await loop.wait(), plain: await plain.wait() };
  },
  expect: async ({ started: { seen, loop, plain } }) => {
    assert.equal(loop.code, 3);
    assert.equal(seen.at(-1), 'caught');
    // Programs must not inherit an ignored SIGINT.
    assert.equal(plain.code, 130);
  },
});
