import { describe, expect, it } from 'vitest';
import { nicArrivals, statusReads } from './nic-truth.js';
import { parseQemuTrace } from './qemu-trace.js';

// QEMU 10.0.2, igb: two frames by the main loop, one between them by a CPU that has just made room.
const SAMPLE = `18291@1795397878.909390:igb_rx_desc_buff_write addr: 0x1040, offset: 0, from: 0x55d0, length: 62
18291@1795397878.909394:e1000e_rx_written_to_guest Received packet written to guest (queue 1)
18294@1795397878.909395:pckbd_kbd_read_status KBD: read status 0x1c
18291@1795397878.909400:igb_rx_desc_buff_write addr: 0x2040, offset: 0, from: 0x55d0, length: 63
18294@1795397878.909401:igb_rx_desc_buff_write addr: 0x3040, offset: 0, from: 0x77d0, length: 64
18294@1795397878.909405:e1000e_rx_written_to_guest Received packet written to guest (queue 0)
18291@1795397878.909410:e1000e_rx_written_to_guest Received packet written to guest (queue 1)
`;

describe('nicArrivals', () => {
  it('brackets each descriptor between the copy and the trace behind it, thread by thread', () => {
    const second = 1_795_397_878_000_000_000n;
    expect(nicArrivals(parseQemuTrace(SAMPLE))).toEqual([
      { queue: 1, from: second + 909_390_000n, to: second + 909_395_000n, length: 62 },
      { queue: 0, from: second + 909_401_000n, to: second + 909_406_000n, length: 64 },
      { queue: 1, from: second + 909_400_000n, to: second + 909_411_000n, length: 63 },
    ]);
  });

  it('refuses a frame that was never copied', () => {
    const cut = SAMPLE.split('\n').slice(1).join('\n');
    expect(() => nicArrivals(parseQemuTrace(cut))).toThrow(/without having been copied/);
  });
});

describe('statusReads', () => {
  it('finds the reads of the probe', () => {
    expect(statusReads(parseQemuTrace(SAMPLE))).toEqual([1_795_397_878_909_395_000n]);
  });
});
