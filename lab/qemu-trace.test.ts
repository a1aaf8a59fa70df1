import { describe, expect, it } from 'vitest';
import { parseQemuTrace, realtimeOffset } from './qemu-trace.js';

// QEMU 10.0.2, igb, -trace 'igb_*' -trace e1000e_rx_written_to_guest -msg timestamp=on
const SAMPLE = `18291@1795397878.909394:e1000e_rx_written_to_guest Received packet written to guest (queue 1)
qemu-system-x86_64: warning: something
18294@1795397878.915033:igb_irq_write_eims Update EIMS: 0x4 MSI-X: 1
18294@1795397878.000001:igb_core_vf_reset
`;

describe('parseQemuTrace', () => {
  const events = parseQemuTrace(SAMPLE);

  it('reads thread, time to the microsecond, name and text, and only events', () => {
    expect(events).toHaveLength(3);
    expect(events[0]).toEqual({
      thread: 18_291,
      time: 1_795_397_878_909_394_000n,
      name: 'e1000e_rx_written_to_guest',
      text: 'Received packet written to guest (queue 1)',
    });
    expect(events[2]).toMatchObject({
      time: 1_795_397_878_000_001_000n,
      name: 'igb_core_vf_reset',
      text: '',
    });
  });
});

describe('realtimeOffset', () => {
  it('turns CLOCK_MONOTONIC into the time of day', () => {
    const offset = realtimeOffset();
    const before = Date.now();
    const day = Number((process.hrtime.bigint() + offset) / 1_000_000n);
    expect(day).toBeGreaterThanOrEqual(before - 1);
    expect(day).toBeLessThanOrEqual(Date.now() + 1);
  });
});
