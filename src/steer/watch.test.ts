import { describe, expect, it } from 'vitest';
import { udpFrame } from '../../lab/frames.js';
import { addPacket } from '../../test/support/lanes.js';
import { Lane } from '../record/lane.js';
import type { RecordSource } from '../record/source.js';
import { parseFlowExpression } from './flow-expression.js';
import { expand } from './flow-spec.js';
import { FlowWatch, countText, judge } from './watch.js';

function source(cpus = 2): RecordSource {
  return {
    base: 0n,
    lanes: Array.from({ length: cpus }, (_, cpu) => new Lane(cpu)),
    ways: [],
    onLater: () => {},
    dropReasonName: () => undefined,
    onInterrupt: () => {},
    onLoss: () => {},
    drain: () => 0,
    drainedTo: 0,
    stop: () => {},
    close: () => {},
  };
}

/** A packet at `driver`; queue as people count, undefined: not recorded. */
function put(
  from: RecordSource,
  cpu: number,
  driver: number,
  queue: number | undefined,
  port: number,
  sourcePort = 1,
): void {
  const bytes = [...udpFrame({ sourcePort, port, payload: Buffer.alloc(2) }).subarray(14, 14 + 28)];
  addPacket(from.lanes[cpu]!, {
    driver,
    queue: queue === undefined ? 0 : queue + 1,
    protocol: 0x0800,
    bytes,
    none: true,
  });
}

const specs = expand(parseFlowExpression('udp dst port 9999'));

describe('a watch', () => {
  it('counts the packets of a flow by queue, CPU and span', () => {
    const from = source();
    const watch = new FlowWatch(from, specs);
    put(from, 0, 10, 0, 9999, 1);
    put(from, 0, 11, 0, 9998, 1);
    const after = watch.begin(20);
    put(from, 0, 19, 0, 9999, 1);
    put(from, 0, 20, 0, 9999, 1);
    put(from, 1, 21, 1, 9999, 2);
    put(from, 1, 22, 1, 9999, 3);
    put(from, 1, 23, 1, 53, 3);
    watch.drain();
    expect(countText(watch.first)).toBe('queue 0: 2');
    expect(watch.first.packets).toBe(3);
    expect(countText(after)).toBe('queue 0: 1, queue 1: 2');
    expect([after.flows, after.packets, [...after.cpus.get(1)!]]).toEqual([3, 4, [1]]);
    expect(from.lanes.map((lane) => lane.count)).toEqual([0, 0]);
  });

  it('keeps the hashes of the flow, and where packets of each hash came', () => {
    const from = source();
    const watch = new FlowWatch(from, specs);
    const hashed = (hash: number, queue: number, port: number): void => {
      put(from, 0, 1, queue, port);
      from.lanes[0]!.packets.hash[from.lanes[0]!.count - 1] = hash;
    };
    hashed(7, 0, 9999);
    hashed(8, 1, 53);
    hashed(8, 1, 53);
    hashed(9, 1, 53);
    hashed(9, 0, 53);
    hashed(0, 1, 53);
    watch.drain();
    expect([...watch.first.hashes]).toEqual([7]);
    expect([...watch.first.queueByHash]).toEqual([
      [7, 0],
      [8, 1],
      [9, -1],
    ]);
  });

  it('judges by where they came', () => {
    const verdictOf = (...queues: (number | undefined)[]): string => {
      const from = source();
      const watch = new FlowWatch(from, specs);
      for (const [i, queue] of queues.entries()) put(from, 0, i, queue, 9999);
      watch.drain();
      return judge(watch.first, 1);
    };
    expect(verdictOf()).toBe('unseen');
    expect(verdictOf(1, 1)).toBe('verified');
    expect(verdictOf(1, 0)).toBe('elsewhere');
    expect(verdictOf(undefined)).toBe('untold');
    expect(verdictOf(1, undefined)).toBe('untold');
    expect(verdictOf(0, undefined)).toBe('elsewhere');
  });

  it('counts what it lost, and packets whose headers do not tell', () => {
    const from = source();
    const watch = new FlowWatch(from, specs);
    from.onLoss({ cause: 'ring_full', cpu: 0, count: 7, from: 0, to: 5 });
    from.onLoss({ cause: 'missed', cpu: 0, count: 9, from: 0, to: 5 });
    const short = [
      ...udpFrame({ sourcePort: 1, port: 9999, payload: Buffer.alloc(2) }).subarray(14, 14 + 20),
    ];
    addPacket(from.lanes[0]!, { driver: 1, queue: 1, protocol: 0x0800, bytes: short, none: true });
    watch.drain();
    expect([watch.first.lost, watch.first.untold]).toEqual([7, 1]);
    // Where none of it came for sure, that is not the same as none.
    expect(countText(watch.first)).toBe('headers do not tell whether it is the flow: 1');
  });
});
