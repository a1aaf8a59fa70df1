import assert from 'node:assert/strict';
import { scenario } from './scenario.js';

const LINES = 12_500;
/** 100 kB that name their own place, so that a lost or doubled piece shows. */
const EXPECTED = Array.from({ length: LINES }, (_, i) => `${String(i).padStart(7, '0')}\n`).join('');

/** Output and exit codes come back to the byte. */
export const exactOutput = scenario({
  name: 'output of 100 kB, odd bytes and the exit code come back exactly',
  needs: { nic: 'igb,queues=2', cpus: 2 },
  start: async (guest) => ({
    long: await guest.run(['seq', '-f', '%07.0f', '0', String(LINES - 1)]),
    odd: await guest.run(['sh', '-c', String.raw`printf 'a\0\377\r\n'; printf 'on stderr' >&2; exit 42`]),
    words: await guest.run(['printf', '%s|', 'two words', "it's", '$HOME', '']),
    nothing: await guest.run(['/no/such/program']),
  }),
  expect: async ({ started: { long, odd, words, nothing } }) => {
    assert.equal(long.code, 0);
    assert.equal(long.stdoutBytes.length, 100_000);
    assert.ok(long.stdout === EXPECTED, 'the bytes differ');
    assert.deepEqual(odd.stdoutBytes, Buffer.from([0x61, 0, 0xff, 0x0d, 0x0a]));
    assert.deepEqual([odd.code, odd.stderr], [42, 'on stderr']);
    assert.equal(words.stdout, "two words|it's|$HOME||");
    assert.equal(nothing.code, 127);
  },
});
