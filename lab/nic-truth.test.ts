import { describe, expect, it } from 'vitest';
import { nicArrivals, queueWith, statusReads } from './nic-truth.js';
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

// QEMU 10.0.2, virtio: a frame of 60 bytes without and one of 70 with an interrupt, the second in two buffers.
const VIRTIO = `24960@1795397878.598527:virtqueue_fill vq 0x564d61f86ab0 elem 0x564d61186140 len 72 idx 0
24960@1795397878.598529:virtqueue_flush vq 0x564d61f86ab0 count 1
24960@1795397878.598535:virtqueue_fill vq 0x564d61f86ab0 elem 0x564d61186140 len 64 idx 0
24960@1795397878.598536:virtqueue_fill vq 0x564d61f86ab0 elem 0x564d61186140 len 18 idx 1
24960@1795397878.598537:virtqueue_flush vq 0x564d61f86ab0 count 2
24961@1795397878.598538:virtqueue_flush vq 0x564d6212eec0 count 1
24960@1795397878.598539:virtio_notify vdev 0x564d61f7d430 vq 0x564d61f86ab0
`;

describe('nicArrivals', () => {
  const second = 1_795_397_878_000_000_000n;

  it('brackets each descriptor between the copy and the trace behind it, thread by thread', () => {
    expect(Object.fromEntries(nicArrivals(parseQemuTrace(SAMPLE)))).toEqual({
      0: [{ from: second + 909_401_000n, to: second + 909_406_000n, length: 64 }],
      1: [
        { from: second + 909_390_000n, to: second + 909_395_000n, length: 62 },
        { from: second + 909_400_000n, to: second + 909_411_000n, length: 63 },
      ],
    });
  });

  it('brackets each used index of virtio between its flush and whatever the thread does next', () => {
    expect(Object.fromEntries(nicArrivals(parseQemuTrace(VIRTIO)))).toEqual({
      '0x564d61f86ab0': [
        { from: second + 598_529_000n, to: second + 598_536_000n, length: 72 },
        { from: second + 598_537_000n, to: second + 598_540_000n, length: 82 },
      ],
    });
  });

  it('refuses a frame that was never copied', () => {
    const cut = SAMPLE.split('\n').slice(1).join('\n');
    expect(() => nicArrivals(parseQemuTrace(cut))).toThrow(/without having been copied/);
  });
});

describe('queueWith', () => {
  const queues = nicArrivals(parseQemuTrace(SAMPLE));

  it('finds the queue by what went through it, all of it', () => {
    expect(queueWith(queues, [62, 63])).toBe(queues.get('1'));
    expect(queueWith(queues, [62])).toBeUndefined();
    expect(queueWith(queues, [63, 62])).toBeUndefined();
    expect(queueWith(queues, [62, 63, 64])).toBeUndefined();
  });
});

describe('statusReads', () => {
  it('finds the reads of the probe', () => {
    expect(statusReads(parseQemuTrace(SAMPLE))).toEqual([1_795_397_878_909_395_000n]);
  });
});
