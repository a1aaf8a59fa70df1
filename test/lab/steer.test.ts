/**
 * `steer` on emulated NICs, each with its own way of misleading: igb refuses rules while the ethtool program reports
 * success; vmxnet3 accepts a table that changes nothing; e1000e has one queue. Witnesses are ethtool's text before and
 * after, and the NIC's own counters.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sequencePayload, udpFlows, udpFrame } from '../../lab/frames.js';
import { Guest } from '../../lab/guest.js';
import type { Sent } from '../../lab/inject.js';
import type { Finished } from '../../lab/running.js';
import { framesReceived, settle } from '../../lab/trace-in-guest.js';
import { known } from '../../src/base/answer.js';
import { parseExactFlow } from '../../src/steer/exact-flow.js';
import { ADDRESSES_AND_PORTS } from '../../src/steer/hash-fields.js';
import { whichQueue } from '../../src/steer/which.js';

const CLI = ['node', 'dist/src/cli/main.js', 'steer', 'eth0'];
const FLOWS = 16;
/** How long steer looks: the host may keep the sender or the guest from running for some seconds of it. */
const WATCH = '5s';
/** All on one queue: a flood could run over its ring. */
const PACED = { gapUs: 1000 };

/**
 * Frames of 16 flows in turn. Each source port has another bit turned: the hash is linear in them and the key is a new
 * one at each boot, so that they all land on one queue once in 2^15 boots (neighbouring ports: once in 16).
 */
const flowFrames = (count: number): Buffer[] =>
  Array.from({ length: count }, (_, i) =>
    udpFrame({ sourcePort: 1000 ^ (1 << (i % FLOWS)), port: 9999, payload: sequencePayload(i) }),
  );

const steer = (guest: Guest, ...args: string[]): Promise<Finished> => guest.run([...CLI, ...args]);

/** Everything that decides about queues, as the ethtool program prints it. */
const settings = (guest: Guest): Promise<string> =>
  guest.shell(
    'for what in -x -n "-n eth0 rx-flow-hash udp4" -k; do set -- $what; ethtool $1 eth0 ${3-} ${4-} 2>&1; done; true',
  );

/** Packets that the driver counted on each of two queues of those that `work` sent. */
async function counted(guest: Guest, work: () => Promise<Sent>): Promise<number[]> {
  const read = async (): Promise<number[]> => {
    const text = await guest.shell('ethtool -S eth0');
    return [0, 1].map((queue) => Number(new RegExp(`rx_queue_${queue}_packets: (\\d+)`).exec(text)?.[1]));
  };
  const before = await read();
  const { count: sent } = await work();
  const grown = async (): Promise<number[]> =>
    (await read()).map((count, queue) => count - (before[queue] ?? 0));
  return settle(grown, ([one = 0, two = 0]) => one + two >= sent);
}

/** Sends 16 flows in turn for as long as `work` runs. */
async function whileFlowing<Result>(guest: Guest, work: () => Promise<Result>): Promise<Result> {
  const sending = { over: false };
  // Returns when all of it has come: what follows counts its own.
  const pump = (async (): Promise<void> => {
    const before = await framesReceived(guest);
    let sent = 0;
    while (!sending.over) sent += (await guest.injector.send(flowFrames(64), { gapUs: 3000 })).count;
    await settle(
      async () => (await framesReceived(guest)) - before,
      (count) => count >= sent,
    );
  })();
  try {
    return await work();
  } finally {
    sending.over = true;
    await pump;
  }
}

describe('steer on igb, which refuses rules', () => {
  const guest = new Guest({ kernel: '6.12', nic: 'igb,queues=2', cpus: 2 });
  let before: string;
  beforeAll(async () => {
    await guest.boot();
    before = await settings(guest);
  });
  afterAll(() => guest.close());

  it('meets a driver that refuses a rule while ethtool exits with 0', async () => {
    const done = await guest.run('ethtool -N eth0 flow-type udp4 dst-port 9999 action 1'.split(' '));
    expect([done.code, done.stderr]).toEqual([0, expect.stringMatching(/Operation not supported/)]);
    expect(await settings(guest)).toBe(before);
  });

  it('falls back to the table, moves all flows, counts them, and gives everything back to the byte', async () => {
    const { code, stdout, stderr } = await whileFlowing(guest, () =>
      steer(guest, 'udp dst port 9999', '--queue', '1', '--verify', WATCH),
    );
    expect(code, stderr).toBe(0);
    expect(stderr).toMatch(
      /refused: inserting the n-tuple rule: the driver does not support it \(EOPNOTSUPP\)/,
    );
    expect(stderr).toMatch(/note: all flows that the NIC hashes move/);
    expect(stderr).toMatch(/verified: \d+ packets of 16 flows in [\d.]+ s, all on queue 1, polled by CPU \d/);
    // The default spreads them, so the table is what brought them there.
    expect(stderr).toMatch(/before the change: queue 0: \d+, queue 1: \d+/);
    expect(stdout).toMatch(/^udp dst port 9999 → queue 1 → IRQ \d+ \(eth0-rx-1\) → CPU \d\n$/);
    expect(await counted(guest, () => guest.injector.send(flowFrames(320), PACED))).toEqual([0, 320]);
    expect(await settings(guest)).not.toBe(before);

    // A second one on top, and both off again in order.
    const second = await steer(guest, 'tcp', '--queue', '0', '--by', 'table', '--verify', '300ms');
    expect([second.code, second.stderr]).toEqual([
      4,
      expect.stringMatching(/not verified: no packet of the flow came/),
    ]);
    expect(await counted(guest, () => guest.injector.send(flowFrames(320), PACED))).toEqual([320, 0]);
    expect((await steer(guest, '--undo')).code).toBe(0);
    expect(await counted(guest, () => guest.injector.send(flowFrames(320), PACED))).toEqual([0, 320]);
    expect((await steer(guest, '--undo')).code).toBe(0);
    expect(await settings(guest)).toBe(before);
    expect((await steer(guest, '--undo')).stderr).toMatch(/has changed nothing on eth0 that is still there/);
  });

  it('finds what a killed run left, and takes it back', async () => {
    const running = guest.start([...CLI, 'udp dst port 9999', '--queue', '0', '--for-this-run']);
    for await (const line of running.lines()) if (line.includes('→ queue 0 →')) break;
    expect(await settings(guest)).not.toBe(before);
    running.kill('SIGKILL');
    await running.wait();
    expect(await settings(guest)).not.toBe(before);
    const undo = await steer(guest, '--undo');
    expect([undo.code, undo.stderr]).toEqual([
      0,
      expect.stringMatching(/^undone: udp dst port 9999 → queue 0/),
    ]);
    expect(await settings(guest)).toBe(before);
  });

  it('lasts as long as the command that it is for', async () => {
    const { code, stdout } = await steer(
      guest,
      'udp',
      '--queue',
      '1',
      '--for-this-run',
      '--',
      'sh',
      '-c',
      'ethtool -x eth0; exit 7',
    );
    expect(code).toBe(7);
    expect(
      new Set(stdout.match(/^ +\d+:.*$/gm)?.flatMap((line) => line.trim().split(/\s+/).slice(1))),
    ).toEqual(new Set(['1']));
    expect(await settings(guest)).toBe(before);
  });

  it('tells the queue of a flow by watching, because igb keeps its key back, and moves it alone', async () => {
    const { code, stdout } = await whileFlowing(guest, () =>
      steer(guest, '--which', 'udp 10.77.0.2:1001 > 10.77.0.1:9999', '--verify', WATCH),
    );
    expect([code, stdout]).toEqual([
      0,
      expect.stringMatching(/^cannot be computed: .*does not give its hash key/),
    ]);
    const queue = Number(/→ queue (\d) →/.exec(stdout)?.[1]);
    const alone = udpFlows({ count: 50, firstSourcePort: 1001 });
    const counts = await counted(guest, () => guest.injector.send(alone, PACED));
    expect(counts[queue]).toBe(50);

    // The NIC tells the hash of each packet, so one entry of the table is enough.
    const flow = 'udp and src host 10.77.0.2 and dst host 10.77.0.1 and src port 1001 and dst port 9999';
    const moved = await whileFlowing(guest, () =>
      steer(guest, flow, '--by', 'slot', '--queue', String(1 - queue), '--verify', WATCH),
    );
    expect(moved.stderr).toMatch(
      /move with it \(entry by the NIC's own hash of its packets: the driver does not give/,
    );
    expect([moved.code, moved.stderr]).toEqual([0, expect.stringMatching(/verified: \d+ packets of 1 flow/)]);
    const [now, was] = [await settings(guest), before].map((text) => text.split(/\s+/));
    expect(now?.filter((word, at) => word !== was?.[at]).length).toBe(1);
    expect((await steer(guest, '--undo')).code).toBe(0);
    expect(await settings(guest)).toBe(before);
  });
});

describe('steer on vmxnet3, which accepts a table that changes nothing', () => {
  const guest = new Guest({ kernel: '6.12', nic: 'vmxnet3', cpus: 2 });
  beforeAll(() => guest.boot());
  afterAll(() => guest.close());

  it('counts, says that it does not work, and gives everything back', async () => {
    const before = await settings(guest);
    const { code, stderr } = await whileFlowing(guest, () =>
      steer(guest, 'udp dst port 9999', '--queue', '1', '--verify', WATCH),
    );
    expect(stderr).toMatch(/does not work: \d+ packets of \d+ flows in [\d.]+ s: queue 0: \d+ \(/);
    expect(stderr).toMatch(/undone: udp dst port 9999 → queue 1/);
    expect(stderr).toMatch(
      /\nRXS_STEER_FAILED: .*accepted it, but packets of the flow came elsewhere; it was undone\./,
    );
    expect(code).toBe(1);
    expect(await settings(guest)).toBe(before);
  });
});

describe.skipIf(process.geteuid?.() !== 0)(
  'steer on virtio-net, which gives its key out (needs root)',
  () => {
    const guest = new Guest({ kernel: '6.12', nic: 'virtio,queues=2', cpus: 2 });
    const flow = 'udp and src host 10.77.0.2 and dst host 10.77.0.1 and src port 1001 and dst port 9999';
    const exact = 'udp 10.77.0.2:1001 > 10.77.0.1:9999';
    beforeAll(() => guest.boot());
    afterAll(() => guest.close());

    it('computes the queue on which each of 16 flows really comes', async () => {
      // Key and table as the ethtool program prints them, not as rxstamp reads them.
      const text = await guest.shell('ethtool -x eth0');
      const rows = [...text.matchAll(/^ +\d+:(( +\d+)+)$/gm)];
      const table = rows.flatMap((row) => (row[1] ?? '').trim().split(/\s+/).map(Number));
      const key = Uint8Array.from(
        Buffer.from((/^([0-9a-f]{2}:)+[0-9a-f]{2}$/m.exec(text)?.[0] ?? '').replaceAll(':', ''), 'hex'),
      );
      expect([table.length, key.length, new Set(table)]).toEqual([128, 40, new Set([0, 1])]);
      const running = guest.start([
        'node',
        'dist/src/cli/main.js',
        'trace',
        'eth0',
        '--format',
        'csv',
        '-c',
        '128',
      ]);
      for await (const line of running.lines()) if (line.startsWith('number,')) break;
      await guest.injector.send(flowFrames(128), { gapUs: 1000 });
      const [head = '', ...lines] = (await running.wait()).stdout.trim().split('\n');
      const columns = head.split(',');
      const cell = (line: string, name: string): number => Number(line.split(',')[columns.indexOf(name)]);
      const seen = lines.filter((line) => cell(line, 'destination_port') === 9999);
      expect(new Set(seen.map((line) => cell(line, 'source_port'))).size).toBe(FLOWS);
      const computed = (port: number): unknown => {
        const answer = whichQueue(parseExactFlow(`udp 10.77.0.2:${port} > 10.77.0.1:9999`), {
          rxQueues: 2,
          rules: known({ size: 0, picksLocation: false, rules: [] }),
          rss: known({ table, key, hashFunction: 1, transform: 0 }),
          fields: known(ADDRESSES_AND_PORTS),
        });
        return answer.kind === 'queue' ? answer.queue : answer;
      };
      expect(seen.map((line) => computed(cell(line, 'source_port')))).toEqual(
        seen.map((line) => cell(line, 'queue')),
      );
      expect(new Set(seen.map((line) => cell(line, 'queue')))).toEqual(new Set([0, 1]));
    });

    it('moves one exact flow by one entry of the table, and no other', async () => {
      const before = await settings(guest);
      const queueOf = async (): Promise<number> => {
        const { code, stdout } = await steer(guest, '--which', exact);
        expect([code, stdout]).toEqual([
          0,
          expect.stringMatching(/\nground: Toeplitz hash 0x[0-9a-f]{8} of /),
        ]);
        return Number(/→ queue (\d) →/.exec(stdout)?.[1]);
      };
      const other = 1 - (await queueOf());
      const { code, stderr } = await whileFlowing(guest, () =>
        steer(guest, flow, '--queue', String(other), '--verify', WATCH),
      );
      expect(code, stderr).toBe(0);
      expect(stderr).toMatch(/note: flows that share entry \d+ of 128 move with it/);
      expect(stderr).toMatch(
        new RegExp(`verified: \\d+ packets of 1 flow in [\\d.]+ s, all on queue ${other},`),
      );
      expect(await queueOf()).toBe(other);
      const [now, was] = [await settings(guest), before].map((text) => text.split(/\s+/));
      expect(now?.filter((word, at) => word !== was?.[at]).length).toBe(1);
      expect((await steer(guest, '--undo')).code).toBe(0);
      expect(await settings(guest)).toBe(before);
    });
  },
);

describe.skipIf(process.env['RXSTAMP_LONG'] !== '1')(
  'steer on e1000e, which has one queue (RXSTAMP_LONG=1)',
  () => {
    const guest = new Guest({ kernel: '6.12', nic: 'e1000e', cpus: 2 });
    beforeAll(() => guest.boot());
    afterAll(() => guest.close());

    it('has nothing to steer', async () => {
      const first = await steer(guest, 'udp', '--queue', '0');
      expect([first.code, first.stderr]).toEqual([
        1,
        expect.stringMatching(/^RXS_NO_STEERING: .*eth0 has one receive queue/),
      ]);
      const second = await steer(guest, 'udp', '--queue', '1');
      expect([second.code, second.stderr]).toEqual([
        2,
        expect.stringMatching(/^RXS_NO_QUEUE: .*only queue 0 exists/),
      ]);
      const which = await steer(guest, '--which', 'udp 10.77.0.2:1 > 10.77.0.1:9999');
      expect([which.code, which.stdout]).toEqual([
        0,
        expect.stringMatching(/→ queue 0 → .*\nground: it is the only receive queue\n$/),
      ]);
    });
  },
);
