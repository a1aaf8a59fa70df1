/** What a guest does that does not come up, or goes. */
import { afterAll, describe, expect, it } from 'vitest';
import { Guest } from '../../lab/guest.js';

describe('a guest', () => {
  const said: string[] = [];
  // Nothing boots a kernel in that.
  const guest = new Guest({ bootTimeout: 0.1, say: (line) => said.push(line) });
  afterAll(() => guest.close());

  it('that is not ready in time is started once more, and says so', async () => {
    await guest.boot();
    expect(said).toContainEqual(expect.stringMatching(/not ready after 0\.1 s.*; started once more$/s));
    expect(await guest.shell('cat /sys/class/net/eth0/carrier')).toBe('1\n');
  });

  it('whose kernel has panicked tells what it said', async () => {
    const sysrq = guest.run(['sh', '-c', 'echo c > /proc/sysrq-trigger']);
    await expect(sysrq).rejects.toThrow(/QEMU ended.*Kernel panic - not syncing: sysrq triggered crash/s);
  });
});
