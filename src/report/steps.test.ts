import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addPacket, closePoll } from '../../test/support/lanes.js';
import { PacketCursor, classify } from '../packet/arrival.js';
import { FIRST_PACKET_STAGE, Lane } from '../record/lane.js';
import { STAGES, STAGE_NAMES, type StageName, stageIndex } from '../stages.js';
import { ndjsonFormat } from './format/ndjson.js';
import { treeFormat } from './format/tree.js';
import { stepsOf, totalOf } from './steps.js';
import { Timeline } from '../base/time.js';

const ALL = STAGE_NAMES.map((name) => stageIndex(name));

/** Any stamps whatever, in any order and up to 23 days from the base: differences are exact to 104; the driver stage is always stamped. */
const stamps = fc.record({
  times: fc.tuple(...STAGES.map(() => fc.option(fc.integer({ min: -2e15, max: 2e15 })))),
  driver: fc.integer({ min: -2e15, max: 2e15 }),
  shown: fc.subarray([...ALL]),
});

/** A packet with these stamps in a poll with these. */
function packetWith(times: readonly (number | null)[], driver: number): PacketCursor {
  const lane = new Lane(0);
  const row = addPacket(lane, { driver });
  const ofPoll = STAGES.flatMap(({ name, per }, stage) =>
    per === 'poll' && times[stage] !== null ? [[name, times[stage]]] : [],
  );
  closePoll(lane, { packets: 1, irq: 9, times: Object.fromEntries(ofPoll) as Record<StageName, number> });
  for (let stage = FIRST_PACKET_STAGE + 1; stage < STAGES.length; stage++)
    lane.packets.times[stage - FIRST_PACKET_STAGE]![row] = times[stage] ?? Number.NaN;
  lane.packets.hardware[row] = times[stageIndex('hw')] ?? Number.NaN;
  const cursor = new PacketCursor();
  cursor.lane = lane;
  cursor.row = row;
  classify(cursor);
  return cursor;
}

/** The first and the last stamp of those that are shown, in the order of the table. */
function ends(times: readonly (number | null)[], driver: number, shown: readonly number[]): [number, number] {
  const all = ALL.filter((stage) => shown.includes(stage))
    .map((stage) => (stage === FIRST_PACKET_STAGE ? driver : (times[stage] ?? undefined)))
    .filter((time) => time !== undefined);
  return [all[0] ?? 0, all.at(-1) ?? 0];
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

describe('the steps of a packet', () => {
  it('add up to the last stamp minus the first, to the nanosecond, whatever was stamped', () => {
    fc.assert(
      fc.property(stamps, ({ times, driver, shown }) => {
        const [first, last] = ends(times, driver, shown);
        const steps = stepsOf(packetWith(times, driver), shown);
        expect(sum(steps.slice(1).map((step) => step.delta))).toBe(last - first);
        expect(totalOf(steps)).toBe(last - first);
        expect(steps.slice(0, 1).every((step) => Number.isNaN(step.delta))).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  it('add up in NDJSON and in the tree as they are printed', () => {
    fc.assert(
      fc.property(stamps, ({ times, driver }) => {
        const [first, last] = ends(times, driver, ALL);
        const cursor = packetWith(times, driver);
        const json = JSON.parse(ndjsonFormat(new Timeline(0n), STAGE_NAMES).packet(cursor, 1)) as {
          deltas: Record<string, number>;
          total: number;
        };
        expect(sum(Object.values(json.deltas))).toBe(last - first);
        expect(json.total).toBe(last - first);
        const lines = treeFormat(new Timeline(0n), STAGE_NAMES).packet(cursor, 1).trimEnd().split('\n');
        const way = lines.at(-1) ?? '';
        const ofPoll = lines.slice(1, -2).map((line) => Number(/(\S+)$/.exec(line)?.[1]));
        const ofPacket = [...(way.split('  = ')[0] ?? '').matchAll(/\S+ ([+-]?\d+)/g)].map((one) =>
          Number(one[1]),
        );
        expect(sum([...ofPoll, ...ofPacket])).toBe(last - first);
        expect(way).toContain(`  = ${last - first} ns`);
      }),
      { numRuns: 1000 },
    );
  });
});
