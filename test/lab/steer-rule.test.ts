/**
 * N-tuple rules: no NIC that QEMU emulates takes them, so a network device is built for the test, which obeys them or
 * only pretends to (test/support/rule-nic). Everything between it and rxstamp is the kernel's own. RXSTAMP_LONG=1: it
 * fetches kernel headers.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Guest } from '../../lab/guest.js';
import type { Finished, Running } from '../../lab/running.js';
import { buildModule } from '../../lab/module-build.js';

const CLI = ['node', 'dist/src/cli/main.js', 'steer', 'rule0'];
/** finit_module(2): the guest has no insmod. */
const LOAD = `const k = require('koffi').load('libc.so.6');
const call = k.func('long syscall(long number, int fd, const char *options, int flags)');
process.exitCode = call(313, require('fs').openSync(process.argv[1]), '', 0) === 0 ? 0 : 1;`;
/** Sends three flows in turn: two to port 9999, over IPv4 and IPv6, and one to 9998. */
const SEND = `const { createSocket } = require('dgram');
const four = createSocket('udp4'), six = createSocket('udp6');
four.bind(1000);
setInterval(() => {
  four.send('x', 9999, '10.99.0.2');
  four.send('x', 9998, '10.99.0.2');
  six.send('x', 9999, 'fd99::2');
}, 10);`;

describe.skipIf(process.env['RXSTAMP_LONG'] !== '1')('steer by n-tuple rules (RXSTAMP_LONG=1)', () => {
  const guest = new Guest({ kernel: '6.12', nic: null, cpus: 2 });
  let sender: Running;
  let before: string;
  const steer = (...args: string[]): Promise<Finished> => guest.run([...CLI, ...args]);
  const settings = (): Promise<string> => guest.shell('ethtool -n rule0; ethtool -k rule0');
  const rules = async (): Promise<string[]> =>
    [...(await guest.shell('ethtool -n rule0')).matchAll(/^Filter: (\d+)[\s\S]*?Action: ([^\n]*)/gm)].map(
      ([, location, action]) => `${location}: ${action}`,
    );

  beforeAll(async () => {
    const module = await buildModule('6.12', 'test/support/rule-nic', 'rule-nic');
    await guest.boot();
    await guest.shell(`node -e "${LOAD.replaceAll('\n', ' ')}" ${module}`);
    await guest.shell('ip link set rule0 up; ip addr add 10.99.0.1/24 dev rule0');
    await guest.shell('ip -6 addr add fd99::1/64 dev rule0 nodad');
    before = await settings();
    expect(before).toMatch(/ntuple-filters: off\n/);
    sender = guest.start(['node', '-e', SEND]);
  });
  afterAll(async () => {
    sender?.kill('SIGKILL');
    await guest.close();
  });

  it('switches rules on, has one per IP version, counts, and takes all of it back', async () => {
    const { code, stdout, stderr } = await steer('udp dst port 9999', '--queue', '3', '--verify', '5s');
    expect(code, stderr).toBe(0);
    expect(stderr).toMatch(/^changing: n-tuple rules: off → on$/m);
    expect(stderr).toMatch(
      /^changing: n-tuple rule at location 15: ip and udp and dst port 9999 → queue 3$/m,
    );
    expect(stderr).toMatch(
      /^changing: n-tuple rule at location 14: ip6 and udp and dst port 9999 → queue 3$/m,
    );
    expect(stderr).toMatch(
      /^verified: \d+ packets of 2 flows in [\d.]+ s, all on queue 3, .*before the change: queue 0: /m,
    );
    expect(stdout).toMatch(/^udp dst port 9999 → queue 3 → rule0 is a software interface/);
    expect(await rules()).toEqual(['14: Direct to queue 3', '15: Direct to queue 3']);

    // A narrower rule on top comes before it.
    const narrow = await steer(
      'ip and udp src port 1000 and dst port 9999',
      '--queue',
      '2',
      '--verify',
      '5s',
    );
    expect(narrow.code, narrow.stderr).toBe(0);
    expect(narrow.stderr).toMatch(
      /verified: \d+ packets of 1 flow in [\d.]+ s, all on queue 2, .*before the change: queue 3: /,
    );
    expect(await rules()).toContain('13: Direct to queue 2');
    const which = await steer('--which', 'udp 10.99.0.1:1000 > 10.99.0.2:9999', '--verify', '5s');
    expect([which.code, which.stdout]).toEqual([
      0,
      expect.stringMatching(
        /→ queue 2 → [^]*ground: rule 13: ip and udp [^]*seen in [\d.]+ s: queue 2: \d+\n$/,
      ),
    ]);

    expect((await steer('--undo', '--all')).code).toBe(0);
    expect(await settings()).toBe(before);
  });

  it('is refused with the reason of the driver where one of the rules is, and leaves none', async () => {
    const { code, stderr } = await steer('dst port 9999', '--queue', '1');
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(
        /RXS_NO_STEERING: .*does not support it \(EOPNOTSUPP\).*the flow needs 6 rules; narrowed/,
      ),
    ]);
    expect(await settings()).toBe(before);
  });

  it('finds a rule without effect by counting, and takes it back', async () => {
    await guest.shell('echo 0 > /sys/module/rule_nic/parameters/obeys');
    const { code, stderr } = await steer('udp dst port 9999', '--queue', '3', '--verify', '5s');
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/does not work: .* queue 0: [^]*RXS_STEER_FAILED: /),
    ]);
    expect(await settings()).toBe(before);
    await guest.shell('echo 1 > /sys/module/rule_nic/parameters/obeys');
  });

  it('lets a driver pick the location, and takes the rule back after a kill -9', async () => {
    await guest.shell('echo 1 > /sys/module/rule_nic/parameters/picks');
    const running = guest.start([...CLI, 'ip and udp dst port 9998', '--queue', '1', '--for-this-run']);
    for await (const line of running.lines()) if (line.includes('→ queue 1 →')) break;
    expect(await rules()).toEqual(['0: Direct to queue 1']);
    running.kill('SIGKILL');
    await running.wait();
    const { code, stderr } = await steer('--undo');
    expect(code, stderr).toBe(0);
    expect(await settings()).toBe(before);
  });
});
