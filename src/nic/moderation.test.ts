import { describe, expect, it } from 'vitest';
import { moderationOf } from './moderation.js';

const settings = (
  rxUsecs: number | null,
  adaptiveRx: boolean | null = false,
  rxUsecsHigh: number | null = null,
) => ({
  rxUsecs,
  rxFrames: null,
  adaptiveRx,
  rxUsecsHigh,
});

describe('interrupt moderation', () => {
  it('is a time where the driver means one', () => {
    expect(moderationOf('i40e', settings(50))).toMatchObject({ mode: 'fixed', maxUsecs: 50 });
    expect(moderationOf('virtio_net', settings(0))).toMatchObject({ mode: 'none', maxUsecs: 0 });
    expect(moderationOf('igb', settings(20))).toMatchObject({ mode: 'fixed', maxUsecs: 20 });
  });

  it('is an adaptive mode where a small number names one: 3 is the default of igb', () => {
    expect(moderationOf('igb', settings(3))).toMatchObject({ mode: 'adaptive', maxUsecs: 245 });
    expect(moderationOf('igb', settings(3)).meaning).toContain('not a time');
    expect(moderationOf('e1000e', settings(4))).toMatchObject({ mode: 'adaptive', maxUsecs: 500 });
    expect(moderationOf('ixgbe', settings(1))).toMatchObject({ mode: 'adaptive', maxUsecs: 126 });
    expect(moderationOf('i40e', settings(3))).toMatchObject({ mode: 'fixed', maxUsecs: 3 });
  });

  it("takes the driver's own upper end before the usual one, and no number where there is none", () => {
    expect(moderationOf('i40e', settings(50, true, 84)).maxUsecs).toBe(84);
    expect(moderationOf('i40e', settings(50, true)).maxUsecs).toBe(126);
    expect(moderationOf('some_nic', settings(50, true))).toMatchObject({
      mode: 'adaptive',
      maxUsecs: undefined,
    });
    expect(moderationOf('vmxnet3', settings(null, null))).toMatchObject({
      mode: 'unknown',
      maxUsecs: undefined,
    });
  });
});
