/**
 * The NIC's own stamps where there are none: on this machine the programs that read them must load and find nothing,
 * and a wish for them must be refused with the reason.
 */
import { createSocket } from 'node:dgram';
import { describe, expect, it } from 'vitest';
import { PacketCursor } from '../../src/packet/arrival.js';
import { Joiner } from '../../src/packet/join.js';
import { EbpfSession } from '../../src/method/ebpf/session.js';
import { stampingOf } from '../../src/nic/hardware-stamps.js';
import { resolveNic } from '../../src/nic/resolve.js';
import { clockNow } from '../../src/sys/libc.js';
import type { CrossTimestamp } from '../../src/sys/ptp.js';
import { spawnSync } from 'node:child_process';
import { cannotTrace, ownNic, titled } from './needs.js';
import { commandLine } from './trace.js';

/** A clock of ours in place of a NIC's. */
const clock = {
  readings: 0,
  crossTimestamp(): CrossTimestamp {
    this.readings++;
    const mono = clockNow('mono');
    return { nic: mono + 1_700_000_000_000_000_000n, mono, error: 50 };
  },
};

async function sendToSelf(count: number): Promise<void> {
  const [to, from] = [createSocket('udp4'), createSocket('udp4')];
  await new Promise<void>((resolve) => to.bind(0, '127.0.0.1', resolve));
  for (let i = 0; i < count; i++)
    await new Promise((resolve) => from.send(Buffer.from('hw'), to.address().port, '127.0.0.1', resolve));
  to.close();
  from.close();
}

describe.skipIf(cannotTrace !== undefined)(titled('the NIC’s own stamps', cannotTrace), () => {
  it('are looked for by programs that load here, and loopback has none', async () => {
    const way = { hook: 'a clock of ours', reasons: [] };
    const session = EbpfSession.start({
      until: 'driver',
      ifindex: resolveNic('lo').ifindex,
      irqs: [],
      irqOnly: false,
      oneQueue: true,
      pages: false,
      queue: undefined,
      cpus: undefined,
      interrupts: false,
      hardware: { way, clock },
      ringBytes: 1 << 20,
    });
    try {
      expect(session.ways[0]).toEqual({ stage: 'hw', ...way });
      const joiner = new Joiner(session, 'driver');
      await sendToSelf(20);
      session.stop();
      session.drain();
      joiner.begin(true);
      const cursor = new PacketCursor();
      let packets = 0;
      for (; joiner.next(cursor, true); packets++) expect(cursor.stage(0)).toBeNaN();
      expect(packets).toBeGreaterThanOrEqual(20);
      expect(clock.readings).toBeGreaterThan(0);
    } finally {
      session.close();
    }
  });

  it.each([
    ['lo', 'it is no NIC'],
    ...(ownNic === undefined || stampingOf(ownNic.name).known
      ? []
      : [[ownNic.name, 'does not stamp received frames']]),
  ])('of %s cannot be turned on, and the error says why', (name = '', why = '') => {
    const [program, ...words] = commandLine(['trace', name, '--hw-timestamps', '--duration', '100ms']);
    const done = spawnSync(program, words, { encoding: 'utf8', timeout: 20_000 });
    expect(done.status).toBe(1);
    expect(done.stdout).toBe('');
    expect(done.stderr).toMatch(/^RXS_NO_HW_STAMPS: turning on receive timestamps of .* hint: .*\n$/);
    expect(done.stderr).toContain(why);
  });
});
