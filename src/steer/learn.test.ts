import { describe, expect, it } from 'vitest';
import { learnHash } from './learn.js';
import type { FlowCount } from './watch.js';

const table = [0, 1, 0, 1, 1, 1, 0, 0];

function count(hashes: readonly number[], others: readonly (readonly [number, number])[] = []): FlowCount {
  const own = hashes.map((hash) => [hash, table[hash & 7] ?? -1] as const);
  return {
    byQueue: new Map(),
    noQueue: 0,
    cpus: new Map(),
    hashes: new Set(hashes),
    queueByHash: new Map([...own, ...others].filter(([hash]) => hash !== 0)),
    flows: hashes.length,
    untold: 0,
    packets: hashes.length,
    lost: 0,
  };
}

describe('the hash of a flow as the NIC computed it', () => {
  it('is believed where all packets come where their hashes point', () => {
    expect(
      learnHash(
        count(
          [0xffff_fffc],
          [
            [0x13, 1],
            [0x20, 0],
          ],
        ),
        table,
      ),
    ).toEqual({ known: true, value: 0xffff_fffc });
  });

  it.each([
    ['no packet came', count([]), table, /no packet of the flow came before the change/],
    ['the driver hands none on', count([0]), table, /does not hand on the hash/],
    ['packets have several', count([1, 2]), table, /different hashes/],
    ['another packet came elsewhere', count([1], [[2, 1]]), table, /do not come where the low bits/],
    ['packets of one hash came on several queues', count([1], [[2, -1]]), table, /do not come where/],
    ['the table is no power of two', count([1]), [0, 1, 0], /no power of two/],
  ] as const)('is not believed where %s', (_, seen, entries, words) => {
    const answer = learnHash(seen, entries);
    expect(answer.known ? 'known' : answer.why).toMatch(words);
  });
});
