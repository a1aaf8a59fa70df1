import assert from 'node:assert/strict';
import { scenario } from './scenario.js';

/** The guest is what was asked for. */
export const boots = scenario({
  name: 'a guest boots the kernel it was asked for, with its CPUs and the NIC up',
  needs: { nic: 'igb,queues=2', cpus: 2 },
  start: async (guest) => ({
    release: (await guest.shell('uname -r')).trim(),
    cpus: (await guest.shell('nproc')).trim(),
    carrier: (await guest.shell('cat /sys/class/net/eth0/carrier')).trim(),
    addresses: await guest.shell('ip -brief addr show dev eth0'),
  }),
  expect: async ({ guest, started }) => {
    assert.equal(started.release, guest.release);
    assert.ok(started.release.startsWith(`${guest.kernel}.`), started.release);
    assert.equal(started.cpus, '2');
    assert.equal(started.carrier, '1');
    assert.match(started.addresses, /10\.77\.0\.1\/24 fd77::1\/64/);
  },
});
