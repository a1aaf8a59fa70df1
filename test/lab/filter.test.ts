/**
 * Filter expressions on a real driver: for each of them, what rxstamp records of one traffic of all kinds is what a
 * tcpdump with the same expression beside it captures, frame by frame, with the NIC taking VLAN tags out and without.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Guest } from '../../lab/guest.js';
import { sendCounted } from '../../lab/trace-in-guest.js';
import { EXPRESSIONS, frameOf, framesInPcap, jumboFrames, trafficFrames } from '../support/filter-traffic.js';

interface Seen {
  readonly expression: string;
  readonly lengths: readonly number[];
  readonly lost: number;
}

/** RXSTAMP_FILTER_GUEST=7/virtio: another kernel and NIC than the usual ones. */
const [kernel = '6.12', nic = 'igb'] = (process.env['RXSTAMP_FILTER_GUEST'] ?? '').split('/').filter(Boolean);

describe(`filters on ${kernel} with ${nic}`, () => {
  const guest = new Guest({ kernel, nic, cpus: 2 });
  const frames = trafficFrames();

  beforeAll(() => guest.boot());
  afterAll(() => guest.close());

  it(`${EXPRESSIONS.length} expressions let through what tcpdump captures of ${frames.length} frames`, async () => {
    const folder = '/tmp/filters';
    const quoted = EXPRESSIONS.map((expression) => `'${expression}'`);
    const options = '-i eth0 -Q in -s 2048 -B 2048 --immediate-mode -Z root';
    const captures = quoted.map(
      (expression, i) => `tcpdump ${options} -w ${folder}/${i}.pcap ${expression} 2>${folder}/${i}.err &`,
    );
    const listening = `[ $(grep -l 'listening on' ${folder}/*.err | wc -l) = ${quoted.length} ]`;
    const tcpdumps = guest.start([
      'sh',
      '-c',
      `mkdir ${folder}; ${captures.join('\n')}
      for i in $(seq 600); do ${listening} && break; sleep 0.1; done
      echo ready
      wait`,
    ]);
    for await (const line of tcpdumps.lines()) if (line === 'ready') break;
    // Two processes, for the two CPUs.
    const half = EXPRESSIONS.length / 2;
    const watchers = [EXPRESSIONS.slice(0, half), EXPRESSIONS.slice(half)].map((list) =>
      guest.start(['node', 'dist/test/support/filter-watch.js', 'eth0', ...list]),
    );
    for (const watcher of watchers) for await (const line of watcher.lines()) if (line === 'ready') break;
    // The NIC takes all of them: tcpdump makes it promiscuous. What it has not given by the reset below is gone.
    await sendCounted(guest, frames, { gapUs: 2000 });
    // Now the tags stay in the bytes, where the NIC took them out before. Changing that may take the link down.
    await guest.run(['ethtool', '-K', 'eth0', 'rxvlan', 'off']);
    await guest.shell(
      'for i in $(seq 100); do grep -q up /sys/class/net/eth0/operstate && break; sleep 0.1; done',
    );
    await sendCounted(guest, frames, { gapUs: 2000 });

    for (const watcher of watchers) watcher.kill('SIGINT');
    const seen: Seen[] = [];
    for (const watcher of watchers) {
      const { stdout, stderr } = await watcher.wait();
      expect(stderr).toBe('');
      seen.push(...(JSON.parse(stdout.split('\n').find((line) => line.startsWith('[')) ?? '') as Seen[]));
    }
    await guest.shell('killall -INT tcpdump');
    await tcpdumps.wait();
    await guest.shell(`cp ${folder}/*.pcap ${folder}/*.err /run/rxlab/x/`);
    expect(seen.map(({ expression }) => expression)).toEqual(EXPRESSIONS);
    for (const [index, { expression, lengths, lost }] of seen.entries()) {
      const told = readFileSync(join(guest.exchange, `${index}.err`), 'utf8');
      expect(told, expression).toContain('\n0 packets dropped by kernel');
      const captured = framesInPcap(readFileSync(join(guest.exchange, `${index}.pcap`)));
      const traced = lengths.map((length) => frameOf(length + 14)).sort((a, b) => a - b);
      expect(traced, expression).toEqual(captured);
      expect(lost, expression).toBe(0);
      // Each frame once with its tag taken out by the NIC, once with it in the bytes.
      expect(captured.length, expression).toBe(2 * new Set(captured).size);
      expect(captured.length, expression).toBeGreaterThan(0);
      expect(captured.length, expression).toBeLessThan(2 * frames.length);
    }
    const all = seen.reduce((sum, { lengths }) => sum + lengths.length, 0);
    process.stderr.write(`${all} packets of ${EXPRESSIONS.length} expressions, each in both\n`);
  });

  it('reads what lies in pages, of frames longer than one', async () => {
    const jumbo = jumboFrames();
    const file = join(guest.exchange, 'jumbo');
    writeFileSync(file, jumbo.map((frame) => frame.toString('hex')).join('\n'));
    await guest.shell(`ip link add jumbo mtu 9000 type veth peer name sender mtu 9000
      for one in jumbo sender; do
        echo 1 >/proc/sys/net/ipv6/conf/$one/disable_ipv6
        ip link set $one up
      done`);
    const list = [
      'udp dst port 53',
      'vlan and udp dst port 53',
      'udp[1000] = 0 and not vlan',
      'udp[1488:4] = 0',
    ];
    const watcher = guest.start(['node', 'dist/test/support/filter-watch.js', 'jumbo', ...list]);
    for await (const line of watcher.lines()) if (line === 'ready') break;
    await guest.shell('node dist/test/support/send-frames.js sender </run/rxlab/x/jumbo');
    watcher.kill('SIGINT');
    const { stdout } = await watcher.wait();
    const seen = JSON.parse(stdout.split('\n').find((line) => line.startsWith('[')) ?? '') as Seen[];
    const half = jumbo.length / 2;
    expect(seen.map(({ lengths }) => lengths.length)).toEqual([half, half / 2, half, jumbo.length]);
  });
});
