import { describe, expect, it } from 'vitest';
import { FakeNic, KEY, RULES, TABLE, TABLE_ONLY, planFor as plan } from '../../test/support/fake-nic.js';
import { parseExactFlow } from './exact-flow.js';
import { parseFlowExpression } from './flow-expression.js';
import type { Candidate } from './plan.js';
import { encodeRule } from './rules.js';
import { stepText } from './step-text.js';

const words = ({ steps }: Candidate): string[] => steps.map(stepText);
const udp = parseFlowExpression('udp dst port 9999');
const table = TABLE;

describe('a plan', () => {
  it('uses a rule where the NIC takes rules, as many as the flow needs', () => {
    const { candidates } = plan(new FakeNic(RULES), udp);
    expect(candidates.map(({ way }) => way)).toEqual(['rule', 'table']);
    expect(words(candidates[0]!)).toEqual([
      'n-tuple rules: off → on',
      'n-tuple rule at location 7: ip and udp and dst port 9999 → queue 1',
      'n-tuple rule at location 6: ip6 and udp and dst port 9999 → queue 1',
    ]);
    expect(candidates[0]?.moves).toBeUndefined();
  });

  it('leaves the location to drivers that pick it', () => {
    const { candidates } = plan(new FakeNic({ ...RULES, picksLocation: true }), parseFlowExpression('arp'));
    expect(words(candidates[0]!)[1]).toBe(
      'n-tuple rule where the driver likes: ether proto 0x0806 → queue 1',
    );
  });

  it('puts its rule before those that would take the packets away, or says that it cannot', () => {
    const nic = new FakeNic({ ...RULES, ntuple: { on: true, changeable: true } });
    nic.insertRule(encodeRule(parseFlowExpression('ip and udp'), 0, 2));
    const flow = parseFlowExpression('ip and udp dst port 9999');
    expect(words(plan(nic, flow).candidates[0]!)).toEqual([
      'n-tuple rule at location 1: ip and udp and dst port 9999 → queue 1',
    ]);
    nic.insertRule(encodeRule(parseFlowExpression('ip and tcp'), 0, 0));
    nic.insertRule(encodeRule(parseFlowExpression('ip and sctp'), 0, 1));
    expect(plan(nic, flow).reasons[0]?.why).toBe(
      'no free location before rule 2: ip and udp → queue 0, which takes these packets',
    );
    // The table is asked only for what no rule took.
    expect(plan(nic, flow).reasons[2]?.why).toMatch(/^RSS table: rule 2: .* before the table is asked$/);
  });

  it('says when all locations are taken, and when the rule is there already', () => {
    const nic = new FakeNic({ ...RULES, ruleLocations: 1, ntuple: { on: true, changeable: true } });
    const flow = parseFlowExpression('ip and udp dst port 9999');
    nic.insertRule(encodeRule(flow, 1, 0));
    expect(plan(nic, flow).candidates[0]).toEqual({ way: 'rule', steps: [], moves: undefined });
    expect(plan(nic, parseFlowExpression('arp')).reasons[0]?.why).toBe('all 1 locations for rules are taken');
    expect(plan(new FakeNic({}), udp).reasons[0]?.why).toBe('n-tuple rules: the driver has no place for any');
  });

  it('moves one entry of the table for one exact flow where the hash can be computed', () => {
    const flow = parseExactFlow('tcp 66.9.149.187:2794 > 161.142.100.80:1766'); // hash 0x51ccc178
    const { candidates } = plan(new FakeNic(KEY), flow, 1, ['slot', 'table']);
    expect(candidates[0]?.steps).toEqual([{ kind: 'table', before: table, after: [1, 0, 0, 0, 1, 1, 1, 1] }]);
    expect(candidates[0]?.moves).toBe('flows that share entry 0 of 8 move with it');
    expect(plan(new FakeNic(TABLE_ONLY), flow, 1, ['slot']).reasons[0]?.why).toMatch(
      /does not give its hash key/,
    );
    expect(plan(new FakeNic(KEY), udp, 1, ['slot']).reasons[0]?.why).toMatch(/only for one flow/);
  });

  it('takes the entry that the NIC itself hashed the flow to where it keeps its key back', () => {
    const flow = parseExactFlow('udp 66.9.149.187:2794 > 161.142.100.80:1766');
    const learned = { known: true, value: 0xffff_fffd } as const;
    const [slot] = plan(new FakeNic(TABLE_ONLY), flow, 0, ['slot'], learned).candidates;
    expect(slot?.steps).toEqual([{ kind: 'table', before: table, after: [0, 0, 0, 0, 1, 0, 1, 1] }]);
    expect(slot?.moves).toBe(
      "flows that share entry 5 of 8 move with it (entry by the NIC's own hash of its packets: the driver does not give its hash key, so the hash cannot be computed)",
    );
    expect(plan(new FakeNic(TABLE_ONLY), flow, 0, ['slot']).reasons[0]?.why).toMatch(
      /does not give its hash key, .*, and its packets were not watched$/,
    );
  });

  it('lets ports count first where they do not', () => {
    const flow = parseExactFlow('udp 66.9.149.187:2794 > 161.142.100.80:1766');
    const [slot] = plan(new FakeNic(KEY), flow, 1, ['slot']).candidates;
    expect(words(slot!)).toEqual([
      'hash of UDP/IPv4: source address, destination address → source address, destination address, source port, destination port',
      'RSS table: queue 0: 4, queue 1: 4 of 8 entries → queue 0: 3, queue 1: 5 of 8 entries',
    ]);
    expect(slot?.moves).toMatch(/hashed by ports too from now on/);
  });

  it('moves all flows where nothing narrower is there, and says so', () => {
    const { candidates } = plan(new FakeNic(TABLE_ONLY), udp, 1, ['table']);
    expect(candidates[0]?.steps).toEqual([{ kind: 'table', before: table, after: table.map(() => 1) }]);
    expect(candidates[0]?.moves).toMatch(/^all flows that the NIC hashes move/);
    const same = new FakeNic({ ...TABLE_ONLY, table: table.map(() => 1) });
    expect(plan(same, udp, 1, ['table']).candidates[0]?.steps).toEqual([]);
  });

  it('gives the reasons where nothing can be done', () => {
    const { candidates, reasons } = plan(new FakeNic({}), udp, 1, ['slot', 'table']);
    expect(candidates).toEqual([]);
    expect(reasons.at(-1)?.why).toBe('RSS table: the driver does not support it (EOPNOTSUPP)');
    const few = new FakeNic({ ...TABLE_ONLY, rings: 1 });
    expect(plan(few, udp, 1, ['table']).reasons[0]?.why).toBe('RSS table: hashing uses queues 0 to 0 only');
  });
});
