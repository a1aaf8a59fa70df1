import assert from 'node:assert/strict';
import { SINK_PORT, SPREAD_FLOWS, sequencePayload, spreadPort, udpFrame } from '../frames.js';
import { settle } from '../trace-in-guest.js';
import { type Received, interrupts, received, statistics } from './counters.js';
import { scenario } from './scenario.js';

const FRAMES = 800;
const QUEUES = [0, 1] as const;

const spreadFrames = (): Buffer[] =>
  Array.from({ length: FRAMES }, (_, index) =>
    udpFrame({
      sourcePort: spreadPort(index % SPREAD_FLOWS),
      port: SINK_PORT,
      payload: sequencePayload(index, 64),
    }),
  );

/** Receive-side scaling by UDP ports: what tests of queues rely on. */
export const flowsSpread = scenario({
  name: `${SPREAD_FLOWS} UDP flows spread over both queues of igb, each with its own interrupts`,
  needs: { nic: 'igb,queues=2', cpus: 2 },
  start: async (guest) => ({ stats: await statistics(guest), irqs: await interrupts(guest) }),
  send: { frames: spreadFrames, pacing: { gapUs: 1000 } },
  expect: async ({ guest, started }) => {
    const delta = (now: Map<string, number>, name: string): number =>
      (now.get(name) ?? 0) - (started.stats.get(name) ?? 0);
    const stats = await settle(
      () => statistics(guest),
      (now) => delta(now, 'rx_packets') >= FRAMES,
    );
    const irqs = await interrupts(guest);
    const frames = QUEUES.map((queue) => delta(stats, `rx_queue_${queue}_packets`));
    assert.equal((frames[0] ?? 0) + (frames[1] ?? 0), FRAMES);
    for (const queue of QUEUES) {
      const name = `eth0-rx-${queue}`;
      const fired = (irqs.get(name) ?? 0) - (started.irqs.get(name) ?? 0);
      assert.ok(
        (frames[queue] ?? 0) >= FRAMES / 8,
        `queue ${queue} got ${frames[queue]} of ${FRAMES} frames`,
      );
      // No upper bound: the emulated NIC fires again for causes that a poll has already served.
      assert.ok(fired > 0, `${name} never fired`);
    }
  },
});

/** The same with a tap behind several virtio queues. The driver's own counters have changed names too often to be used. */
export const virtioSpread = scenario({
  name: `${SPREAD_FLOWS} UDP flows spread over both queues of virtio, each with its own interrupts`,
  needs: { nic: 'virtio,queues=2', cpus: 2 },
  start: async (guest) => ({ before: await received(guest), irqs: await interrupts(guest) }),
  send: { frames: spreadFrames, pacing: { gapUs: 1000 } },
  expect: async ({ guest, started }) => {
    const frames = (now: Received): number => now.packets - started.before.packets;
    const after = await settle(
      () => received(guest),
      (now) => frames(now) >= FRAMES,
    );
    assert.equal(frames(after), FRAMES);
    const irqs = await interrupts(guest);
    const fired = [...irqs].filter(([name]) => /^virtio\d+-input\.\d+$/.test(name));
    assert.equal(fired.length, QUEUES.length, [...irqs.keys()].join(' '));
    for (const [name, count] of fired) {
      const more = count - (started.irqs.get(name) ?? 0);
      // Only frames of its queue raise it, and those of a flow are all there. How often is a question of time: frames
      // that come while the host does not run the CPU share an interrupt.
      assert.ok(more > 0, `${name} never fired for ${FRAMES} frames`);
    }
  },
});
