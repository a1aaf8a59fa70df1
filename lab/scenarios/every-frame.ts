import assert from 'node:assert/strict';
import { udpFlows } from '../frames.js';
import { startSink } from '../sink.js';
import { received } from './counters.js';
import { type Scenario, scenario } from './scenario.js';

const FRAMES = 1000;

/** Sent, received by the NIC, and read by a program are the same number. */
function everyFrame(nic: string, version: 4 | 6): Scenario {
  return scenario({
    name: `${FRAMES} UDP/IPv${version} frames sent are ${FRAMES} received and ${FRAMES} read, on ${nic}`,
    needs: { nic, cpus: 2 },
    start: async (guest) => ({
      sink: await startSink(guest, { count: FRAMES }),
      before: await received(guest),
    }),
    send: { frames: () => udpFlows({ count: FRAMES, flows: 8, version }), pacing: { gapUs: 500 } },
    expect: async ({ guest, started: { sink, before }, sent }) => {
      const timer = setTimeout(() => sink.command.kill('SIGTERM'), 20_000);
      const read = await sink.wait();
      clearTimeout(timer);
      const after = await received(guest);
      assert.deepEqual(
        {
          sent: sent.count,
          received: after.packets - before.packets,
          dropped: after.dropped - before.dropped,
          read: read.received,
        },
        { sent: FRAMES, received: FRAMES, dropped: 0, read: FRAMES },
      );
    },
  });
}

/** The same count on every NIC of the lab. */
export const everyFrameScenarios: readonly Scenario[] = [
  everyFrame('igb,queues=2', 4),
  everyFrame('igb,queues=2', 6),
  everyFrame('e1000e', 4),
  everyFrame('vmxnet3', 4),
  everyFrame('virtio', 4),
];
