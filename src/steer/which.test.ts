import { describe, expect, it } from 'vitest';
import { known, unknown } from '../base/answer.js';
import type { Rss } from '../sys/nic-settings.js';
import { parseExactFlow } from './exact-flow.js';
import { parseFlowExpression } from './flow-expression.js';
import { ADDRESSES, ADDRESSES_AND_PORTS } from './hash-fields.js';
import { encodeRule } from './rules.js';
import { MICROSOFT_KEY } from '../../test/support/rss-vectors.js';
import { type QueueFacts, type WhichQueue, whichQueue } from './which.js';

const spread = Array.from({ length: 128 }, (_, slot) => slot % 4);
const rss: Rss = { table: spread, key: MICROSOFT_KEY, hashFunction: 1, transform: 0 };
const noRules = known({ size: 8, picksLocation: false, rules: [] });
/** From Microsoft's list: its hash is 0x51ccc178 with ports and 0x323e8fc2 without. */
const FLOW = parseExactFlow('tcp 66.9.149.187:2794 > 161.142.100.80:1766');

const ask = (change: Partial<QueueFacts>, changeRss: Partial<Rss> = {}, flow = FLOW): WhichQueue =>
  whichQueue(flow, {
    rxQueues: 4,
    rules: noRules,
    rss: known({ ...rss, ...changeRss }),
    fields: known(ADDRESSES_AND_PORTS),
    ...change,
  });

const why = (answer: WhichQueue): string =>
  answer.kind === 'unknown' ? answer.why : `not unknown: ${answer.kind}`;

describe('the queue of a flow', () => {
  it('is where the low bits of its hash point in the table', () => {
    expect(ask({})).toEqual({
      kind: 'queue',
      queue: 0x78 % 4,
      slot: 0x78,
      ground:
        'Toeplitz hash 0x51ccc178 of source address, destination address, source port, destination port, entry 120 of 128 in the RSS table',
    });
    expect(ask({ fields: known(ADDRESSES) })).toMatchObject({ queue: 0x42 % 4, slot: 0x42 });
  });

  it('is the same in both directions where the input is made symmetric, by XOR', () => {
    const back = parseExactFlow('tcp 161.142.100.80:1766 > 66.9.149.187:2794');
    const [there, here] = [ask({}, { transform: 1 }), ask({}, { transform: 1 }, back)];
    expect(there).toEqual(here);
    expect(there).toMatchObject({
      kind: 'queue',
      ground: expect.stringContaining('symmetric by XOR') as string,
    });
    expect(ask({})).not.toEqual(ask({}, {}, back));
  });

  it('without ports is hashed by its addresses alone', () => {
    const icmp = parseExactFlow('icmp 66.9.149.187 > 161.142.100.80');
    expect(ask({ fields: known(ADDRESSES_AND_PORTS) }, {}, icmp)).toMatchObject({ slot: 0x42 });
  });

  it('is sure without any hash where there is one queue, or one queue in the table', () => {
    expect(ask({ rxQueues: 1, rss: unknown('no table') })).toMatchObject({
      queue: 0,
      ground: expect.stringMatching(/only receive queue/) as string,
    });
    expect(ask({}, { table: spread.map(() => 3), key: new Uint8Array() })).toMatchObject({
      queue: 3,
      ground: 'all 128 entries of the RSS table are queue 3',
    });
  });

  it('is what the first rule says that takes it', () => {
    const rule = (text: string, queue: number, at: number): Uint8Array =>
      encodeRule(parseFlowExpression(text), queue, at);
    const withRules = (...rules: Uint8Array[]): WhichQueue =>
      ask({ rules: known({ size: 8, picksLocation: false, rules }) });
    const mine = 'ip and tcp dst port 1766';
    expect(withRules(rule(mine, 2, 7), rule('ip and udp', 3, 0))).toMatchObject({
      queue: 2,
      ground: 'rule 7: ip and tcp and dst port 1766 → queue 2',
    });
    expect(withRules(rule(mine, 2, 7), rule('ip and tcp', 1, 3))).toMatchObject({ queue: 1 });
    // The flow has no VLAN tag.
    expect(withRules(rule(`vlan 5 and ${mine}`, 2, 0))).toMatchObject({ slot: 0x78 });
    const drop = rule(mine, 0, 1);
    drop.fill(0xff, 152, 160);
    expect(withRules(drop)).toMatchObject({ kind: 'elsewhere', words: 'drop' });
    const more = rule(mine, 2, 0);
    more[76 + 12] = 0xff;
    expect(why(withRules(more))).toMatch(/may take it, and also looks at fields/);
  });

  it.each([
    ['no table', { rss: unknown('RSS table: EOPNOTSUPP') }, {}, /EOPNOTSUPP/],
    ['an empty table', {}, { table: [] }, /does not give its RSS table/],
    ['no key', {}, { key: new Uint8Array() }, /does not give its hash key/],
    ['a key of zeros', {}, { key: new Uint8Array(40) }, /zeros/],
    ['a short key', {}, { key: MICROSOFT_KEY.slice(0, 12) }, /only 12 bytes/],
    ['another hash', {}, { hashFunction: 2 }, /is XOR, not Toeplitz/],
    ['a hash that is not told', {}, { hashFunction: 0 }, /is not told, not Toeplitz/],
    ['an odd table', {}, { table: [0, 1, 2] }, /not a power of two/],
    ['an unknown transformation', {}, { transform: 2 }, /transformed in a way/],
    [
      'fields that are not told',
      { fields: unknown('EOPNOTSUPP') },
      {},
      /which fields are hashed is not told/,
    ],
    ['odd fields', { fields: known(1 << 4) }, {}, /covers source address, a set whose order/],
    ['no fields', { fields: known(0) }, {}, /covers nothing/],
  ] as const)('is not guessed with %s', (_, change, changeRss, words) => {
    expect(why(ask(change, changeRss))).toMatch(words);
  });
});
