/** What is said about packets of which it cannot be told whether they are of the flow. */
import { describe, expect, it } from 'vitest';
import { udpFrame } from '../../../lab/frames.js';
import { FakeNic, TABLE_ONLY } from '../../../test/support/fake-nic.js';
import { addPacket } from '../../../test/support/lanes.js';
import { Lane } from '../../record/lane.js';
import type { RecordSource } from '../../record/source.js';
import { parseFlowExpression } from '../../steer/flow-expression.js';
import { expand } from '../../steer/flow-spec.js';
import { FlowWatch } from '../../steer/watch.js';
import type { SteerWish } from './options.js';
import type { SteerTarget } from './target.js';
import { type Judged, Verification } from './verification.js';

/** Bytes of the IP header and what follows; without: its first 8 bytes, or none. */
const headers = (bytes: number): number[] => [
  ...udpFrame({ sourcePort: 1, port: 9999, payload: Buffer.alloc(2) }).subarray(14, 14 + bytes),
];

/** Verifies while packets of these captured lengths come on queue 1. */
async function verified(lengths: readonly number[]): Promise<Judged> {
  const lane = new Lane(0);
  const none = (): void => {};
  let time = 0;
  let left: readonly number[] = [];
  const source: RecordSource = {
    base: 0n,
    lanes: [lane],
    ways: [],
    onLater: none,
    dropReasonName: () => undefined,
    onInterrupt: none,
    onLoss: none,
    drain: () => {
      for (const bytes of left)
        addPacket(lane, { driver: time, queue: 2, protocol: 0x0800, bytes: headers(bytes), none: true });
      const { length } = left;
      left = [];
      return length;
    },
    drainedTo: 0,
    stop: none,
    close: none,
  };
  const watch = new FlowWatch(source, expand(parseFlowExpression('udp dst port 9999')));
  const now = (): number => (time += 50e6);
  const target = { settings: new FakeNic(TABLE_ONLY) } as unknown as SteerTarget;
  const wish = { queue: 1, verifyNs: 500e6, forThisRun: false } as SteerWish;
  const check = new Verification(target, wish, { watch, now, close: none });
  check.changed('table');
  let looks = 0;
  await check.watch(wish.verifyNs, () => {
    if (looks++ === 8) left = lengths;
    return false;
  });
  return check.verdict();
}

describe('a verification', () => {
  it('that saw no headers does not say that nothing came', async () => {
    const { verdict, words } = await verified([0, 0, 0]);
    expect(verdict).toBe('unseen');
    expect(words).toMatch(/^not verified: of no packet it is certain that it is of the flow in /);
    expect(words).toContain('0 others came');
    expect(words).toContain('the headers of 3 more do not tell whether they are of the flow');
  });

  it('says how many it does not know beside those that came', async () => {
    const { verdict, words } = await verified([28, 28, 8]);
    expect(verdict).toBe('verified');
    expect(words).toMatch(/^verified: 2 packets of 1 flow in /);
    expect(words).toContain('the headers of 1 more do not tell');
    expect((await verified([28])).words).not.toContain('do not tell');
  });

  it('says that nothing came where nothing did', async () => {
    expect((await verified([])).words).toMatch(
      /^not verified: no packet of the flow came in .* \(0 others came\)$/,
    );
  });
});
