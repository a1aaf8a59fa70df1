import { describe, expect, it } from 'vitest';
import { idleTime, parseStat, parseTimerList } from './idle-time.js';

const TIMER_LIST = `Timer List Version: v0.10
HRTIMER_MAX_CLOCK_BASES: 8
now at 1000000 nsecs

cpu: 0
  .nohz           : 1
  .idle_entrytime : 900000 nsecs
  .idle_waketime  : 890000 nsecs
  .idle_exittime  : 950000 nsecs
  .idle_sleeptime : 400000 nsecs
  .iowait_sleeptime: 1000 nsecs

cpu: 1
  .idle_entrytime : 990000 nsecs
  .idle_waketime  : 940000 nsecs
  .idle_exittime  : 950000 nsecs
  .idle_sleeptime : 500000 nsecs
  .iowait_sleeptime: 0 nsecs
Tick Device: mode:     1
`;

describe('idle time', () => {
  it('is summed over the CPUs', () => {
    expect(parseTimerList(TIMER_LIST)).toEqual({ idleNs: 401_000 + 500_000, cpus: 2, coarse: false });
  });

  it('is not known where the list does not tell', () => {
    expect(parseTimerList('')).toBeUndefined();
    expect(parseTimerList('now at 5 nsecs\n\ncpu: 0\n  .nohz : 0\n')).toBeUndefined();
  });

  it('is in hundredths of a second in /proc/stat', () => {
    const text = 'cpu  9 0 9 50 9 0\ncpu0 4 0 4 30 1 0\ncpu1 5 0 5 20 2 0\nintr 1\n';
    expect(parseStat(text)).toEqual({ idleNs: 530_000_000, cpus: 2, coarse: true });
  });

  it('grows on this machine, by no more than the time that goes by on all CPUs', async () => {
    const started = performance.now();
    const before = idleTime();
    await new Promise((resolve) => setTimeout(resolve, 100));
    const after = idleTime();
    const idle = (after.idleNs - before.idleNs) / 1e6;
    expect(idle).toBeGreaterThanOrEqual(0);
    // Hundredths of a second end somewhere before and behind, for each CPU, where the list may not be read.
    const steps = after.coarse ? 20 * after.cpus : 4;
    expect(idle).toBeLessThanOrEqual((performance.now() - started) * after.cpus + steps);
  });
});
