import { describe, expect, it } from 'vitest';
import { transmitCounters } from './tap.js';

// Linux 6.18, two queues, 64 frames read by QEMU, 5 dropped.
const SAMPLE = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0
rxtap0:    1480      22    0    3    0     0          0         0     3840      64    0    5    0     0       0          0
`;

describe('transmitCounters', () => {
  it('reads what the tap gave to QEMU and what it dropped, not the other direction', () => {
    expect(transmitCounters(SAMPLE, 'rxtap0')).toEqual({ delivered: 64, dropped: 5 });
  });

  it('knows when the tap is gone', () => {
    expect(transmitCounters(SAMPLE, 'rxtap')).toBeUndefined();
  });
});
