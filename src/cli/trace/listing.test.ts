import { expect, it } from 'vitest';
import { HandSource } from '../../../test/support/hand-source.js';
import { Timeline } from '../../base/time.js';
import { NO_FACTS } from '../../packet/arrival.js';
import { Listing } from './listing.js';

it('does not gather interrupts where packets are shown', () => {
  const source = new HandSource(1, ['isr', 'driver']);
  const shown = { until: 'driver', format: 'times', interrupts: false, count: undefined, waitNs: 0 } as const;
  const listing = new Listing(
    { ...shown, slower: undefined, pids: undefined },
    source,
    new Timeline(0n),
    NO_FACTS,
  );
  const before = process.memoryUsage().heapUsed;
  for (let time = 0; time < 2_000_000; time++) {
    const none = Number.NaN;
    source.onInterrupt({
      irq: 25,
      vector: 38,
      cpu: 0,
      entry: none,
      claim: none,
      isr: time,
      exit: time + 0.5,
      napiId: 0,
    });
  }
  expect((process.memoryUsage().heapUsed - before) / 1e6).toBeLessThan(80);
  expect(listing.summary.interrupts).toBe(0);
});
