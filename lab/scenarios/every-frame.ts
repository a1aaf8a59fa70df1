import assert from 'node:assert/strict';
import { udpFlows } from '../frames.js';
import type { Pacing } from '../inject.js';
import { startSink } from '../sink.js';
import { settle } from '../trace-in-guest.js';
import { received } from './counters.js';
import { type Scenario, scenario } from './scenario.js';

/** As fast as the wire takes them. */
const FLOOD: Pacing = { burst: 64 };

/** Sent, received by the NIC, and read by a program are the same number. */
function everyFrame(nic: string, version: 4 | 6, frames = 1000, pacing: Pacing = { gapUs: 500 }): Scenario {
  const pace = pacing === FLOOD ? ' in a flood' : '';
  return scenario({
    name: `${frames} UDP/IPv${version} frames sent${pace} are ${frames} received and ${frames} read, on ${nic}`,
    needs: { nic, cpus: 2 },
    start: async (guest) => ({
      sink: await startSink(guest, { count: frames }),
      before: await received(guest),
    }),
    send: { frames: () => udpFlows({ count: frames, flows: 8, version }), pacing },
    expect: async ({ guest, started: { sink, before }, sent }) => {
      const timer = setTimeout(() => sink.command.kill('SIGTERM'), 60_000);
      const read = await sink.wait();
      clearTimeout(timer);
      // A driver counts when its poll is over; on another CPU the last datagram may be read before.
      const after = await settle(
        () => received(guest),
        (now) => now.packets - before.packets >= frames,
      );
      assert.deepEqual(
        {
          sent: sent.count,
          received: after.packets - before.packets,
          dropped: after.dropped - before.dropped,
          read: read.received,
        },
        { sent: frames, received: frames, dropped: 0, read: frames },
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
  everyFrame('virtio,queues=2', 4),
  everyFrame('virtio,queues=2', 4, 20_000, FLOOD),
];
