import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Answer, known, unknown } from '../base/answer.js';
import type { ChangedInterface } from '../sys/changed-interface.js';
import { HOST } from '../sys/files.js';
import type { HwtstampConfig } from '../sys/hwtstamp.js';
import { networkNamespace } from '../sys/netns.js';
import { savedFiles } from '../sys/saved-files.js';
import { StateFolder } from '../sys/state-folder.js';
import { type StampDoor, StampSwitch, stampingOf } from './hardware-stamps.js';

const ETH7: ChangedInterface = { name: 'eth7', ifindex: 9, netns: networkNamespace(), bus: '0000:00:04.0' };
const OFF: HwtstampConfig = { flags: 0, txType: 1, rxFilter: 0 };
const PTP2 = 12;

/** A NIC that knows PTPv2 only; `refuses` is what it answers to a change. */
function fakeNic(start: HwtstampConfig = OFF) {
  const state = {
    config: start,
    refuses: undefined as string | undefined,
    writes: 0,
    tells: true,
    interfaces: [ETH7],
  };
  const gone = (iface: string): boolean => !state.interfaces.some(({ name }) => name === iface);
  const door: StampDoor = {
    interfaces: () => state.interfaces,
    info: () => known({ receives: true, phc: 0, filters: 2 ** 0 + 2 ** 4 + 2 ** PTP2 }),
    read: (iface): Answer<HwtstampConfig> =>
      gone(iface) ? unknown('ENODEV') : state.tells ? known(state.config) : unknown('it does not tell'),
    write: (iface, config) => {
      state.writes++;
      if (gone(iface)) return unknown('ENODEV');
      if (state.refuses !== undefined) return unknown(state.refuses);
      state.config = config;
      return known(config);
    },
  };
  return { state, door };
}

/** /proc of a machine on which no process lives. */
const NOBODY = savedFiles('/proc/self/status = CapEff:\t000001ffffffffff\n');

describe('receive timestamps of a NIC', () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'rxstamp-'));
    lines.length = 0;
  });
  afterEach(() => rmSync(root, { recursive: true }));

  const folder = (): StateFolder => new StateFolder('hw-timestamps', root);
  const lines: string[] = [];
  const tell = (line: string): void => void lines.push(line);
  const told = (): string[] => lines.splice(0);

  async function turnOn(nic: ReturnType<typeof fakeNic>, files = HOST): Promise<() => void> {
    const stamping = stampingOf('eth7', nic.door);
    if (!stamping.known) throw new Error(stamping.why);
    return new StampSwitch(nic.door, folder(), files).turnOn('eth7', stamping.value, tell);
  }

  it('are turned on as wide as it can, and turned off exactly', async () => {
    const nic = fakeNic();
    const undo = await turnOn(nic);
    expect(nic.state.config).toEqual({ ...OFF, rxFilter: PTP2 });
    expect(told()).toEqual([
      'eth7: receive timestamps changed from none to ptpv2-event for the time of this run',
    ]);
    expect(folder().names().length).toBe(1);
    undo();
    expect(nic.state.config).toEqual(OFF);
    expect(told()).toEqual(['eth7: receive timestamps put back from ptpv2-event to none']);
    expect(folder().names()).toEqual([]);
  });

  it('stay as they are where they are wide enough', async () => {
    const nic = fakeNic({ ...OFF, rxFilter: 1 });
    const undo = await turnOn(nic);
    undo();
    expect(nic.state).toMatchObject({ writes: 0, config: { rxFilter: 1 } });
    expect(told()).toEqual(['eth7: receive timestamps are on already (all frames): nothing changed']);
  });

  it('are not taken from another program', async () => {
    const nic = fakeNic({ ...OFF, rxFilter: 4 });
    await expect(turnOn(nic)).rejects.toMatchObject({
      code: 'RXS_HW_IN_USE',
      message: expect.stringMatching(/ptpv1-l4-sync/) as string,
    });
    expect(nic.state.writes).toBe(0);
    expect(folder().names()).toEqual([]);
  });

  it('are not changed when it does not tell what they were', async () => {
    const nic = fakeNic();
    nic.state.tells = false;
    await expect(turnOn(nic)).rejects.toMatchObject({
      code: 'RXS_NO_HW_STAMPS',
      message: expect.stringMatching(/could not be put back/) as string,
    });
    expect(nic.state.writes).toBe(0);
  });

  it('are not left noted when the driver refuses', async () => {
    const nic = fakeNic();
    nic.state.refuses = 'ERANGE';
    await expect(turnOn(nic)).rejects.toMatchObject({
      code: 'RXS_NO_HW_STAMPS',
      message: expect.stringMatching(/refused ptpv2-event \(ERANGE\)/) as string,
    });
    nic.state.refuses = 'EPERM';
    await expect(turnOn(nic)).rejects.toMatchObject({ code: 'RXS_NO_PRIVILEGE' });
    expect(folder().names()).toEqual([]);
  });

  it('need CAP_NET_ADMIN', async () => {
    const files = savedFiles('/proc/self/status = CapEff:\t000000c000000000\n');
    await expect(turnOn(fakeNic(), files)).rejects.toMatchObject({ code: 'RXS_NO_PRIVILEGE' });
  });

  it('are left to whoever has changed them meanwhile', async () => {
    const nic = fakeNic();
    const undo = await turnOn(nic);
    nic.state.config = { ...OFF, rxFilter: 4 };
    told();
    undo();
    expect(nic.state.config.rxFilter).toBe(4);
    expect(told()).toEqual([
      'eth7: receive timestamps are at ptpv1-l4-sync now, set by another program: left as they are',
    ]);
    expect(folder().names()).toEqual([]);
  });

  it('are put back by the next run when this one was killed', async () => {
    const nic = fakeNic();
    await turnOn(nic, NOBODY);
    told();
    const next = new StampSwitch(nic.door, folder(), NOBODY);
    // The note's process number lives, but it is another process: it started at another time.
    const alive = new StampSwitch(nic.door, folder(), HOST);
    expect(alive.leftovers()).toEqual([{ iface: 'eth7', from: 'none', to: 'ptpv2-event' }]);
    await next.recover(tell);
    expect(nic.state.config).toEqual(OFF);
    expect(told()).toEqual([
      'eth7: receive timestamps put back from ptpv2-event to none (left by a run that was killed)',
    ]);
    expect(next.leftovers()).toEqual([]);
    await next.recover(tell);
    expect(told()).toEqual([]);
  });

  it.each(['by the run itself', 'by the next run'])('are put back under a new name, %s', async (who) => {
    const nic = fakeNic();
    const undo = await turnOn(nic, NOBODY);
    told();
    nic.state.interfaces = [
      { ...ETH7, name: 'lan0' },
      { ...ETH7, name: 'eth7', ifindex: 10, bus: '0000:00:05.0' },
    ];
    const next = new StampSwitch(nic.door, folder(), NOBODY);
    expect(next.leftovers().map(({ iface }) => iface)).toEqual(['lan0']);
    if (who === 'by the run itself') undo();
    else await next.recover(tell);
    expect(nic.state.config).toEqual(OFF);
    expect(told()[0]).toMatch(/^lan0: receive timestamps put back from ptpv2-event to none/);
    expect(folder().names()).toEqual([]);
  });

  it('stay noted until they could be put back', async () => {
    const nic = fakeNic();
    const undo = await turnOn(nic, NOBODY);
    told();
    nic.state.refuses = 'EBUSY';
    undo();
    const words = 'eth7: receive timestamps cannot be put back to none now: ';
    expect(told()).toEqual([`${words}EBUSY; the next trace tries again`]);
    nic.state.tells = false;
    await new StampSwitch(nic.door, folder(), NOBODY).recover(tell);
    expect(told()).toEqual([`${words}it does not tell; the next trace tries again`]);
    nic.state.tells = true;
    await turnOn(nic, NOBODY);
    expect(told()).toEqual([
      'eth7: receive timestamps are on already (PTPv2 event frames, left by a run of rxstamp that was killed): nothing changed',
    ]);
    nic.state.refuses = undefined;
    await new StampSwitch(nic.door, folder(), NOBODY).recover(tell);
    expect(nic.state.config).toEqual(OFF);
    expect(folder().names()).toEqual([]);
  });

  it.each([
    ['another device has its number', [{ ...ETH7, bus: '0000:00:05.0' }]],
    ['nothing has', []],
  ])('are forgotten when the interface is gone: %s', async (_, interfaces) => {
    const nic = fakeNic();
    const undo = await turnOn(nic, NOBODY);
    const { writes } = nic.state;
    nic.state.interfaces = interfaces;
    told();
    undo();
    expect([told(), folder().names(), nic.state.writes]).toEqual([[], [], writes]);
  });

  it('that a strange note is about are an error that names it; the others are put back all the same', async () => {
    const nic = fakeNic();
    await turnOn(nic, NOBODY);
    for (const name of ['eth7-1.json', `${ETH7.netns}-77.json`]) {
      writeFileSync(join(folder().path, name), '{}');
      const next = new StampSwitch(nic.door, folder(), NOBODY);
      await expect(next.recover(tell)).rejects.toMatchObject({
        code: 'RXS_STATE',
        message: expect.stringContaining(name) as string,
      });
      expect(nic.state.config).toEqual(OFF);
      await expect(turnOn(nic, HOST)).rejects.toMatchObject({ code: 'RXS_STATE' });
      expect([nic.state.config, folder().names()]).toEqual([OFF, [name]]);
      rmSync(join(folder().path, name));
    }
    // Of another network namespace: not ours to judge.
    writeFileSync(join(folder().path, '5-9.json'), '{}');
    await new StampSwitch(nic.door, folder(), NOBODY).recover(tell);
  });

  it('are put back at once when they cannot be noted as they are', async () => {
    const nic = fakeNic();
    const stamping = stampingOf('eth7', nic.door);
    if (!stamping.known) throw new Error(stamping.why);
    const full = folder();
    const write = full.write.bind(full);
    let notes = 0;
    full.write = (name, text) => {
      if (text !== undefined && ++notes === 2) throw new Error('ENOSPC');
      write(name, text);
    };
    const made = new StampSwitch(nic.door, full).turnOn('eth7', stamping.value, tell);
    await expect(made).rejects.toThrow('ENOSPC');
    expect([notes, nic.state.config, full.names()]).toEqual([2, OFF, []]);
    expect(told()).toEqual([
      'eth7: receive timestamps put back from ptpv2-event to none (it could not be noted)',
    ]);
  });

  it('need nothing when the run was killed before it had changed them', async () => {
    const nic = fakeNic();
    await turnOn(nic, NOBODY);
    told();
    nic.state.config = OFF;
    const writes = nic.state.writes;
    const next = new StampSwitch(nic.door, folder(), NOBODY);
    await next.recover(tell);
    expect([told(), next.leftovers(), nic.state.writes]).toEqual([[], [], writes]);
  });

  it('are asked again when another program was quicker', async () => {
    const nic = fakeNic();
    const stamping = stampingOf('eth7', nic.door);
    if (!stamping.known) throw new Error(stamping.why);
    nic.state.config = { ...OFF, rxFilter: 4 };
    const late = new StampSwitch(nic.door, folder(), HOST).turnOn('eth7', stamping.value, tell);
    await expect(late).rejects.toMatchObject({ code: 'RXS_HW_IN_USE' });
    expect(nic.state.writes).toBe(0);
  });

  it('of a run that lives are its own', async () => {
    const nic = fakeNic();
    const undo = await turnOn(nic);
    told();
    const other = new StampSwitch(nic.door, folder());
    await other.recover(tell);
    expect(nic.state.config.rxFilter).toBe(PTP2);
    const second = await turnOn(nic);
    second();
    expect(nic.state.config.rxFilter).toBe(PTP2);
    expect(told()).toEqual([
      `eth7: receive timestamps are on already (PTPv2 event frames, by rxstamp with process number ${process.pid}, which turns it off when it ends): nothing changed`,
    ]);
    undo();
    expect(nic.state.config).toEqual(OFF);
  });
});

describe('what a NIC can stamp', () => {
  const door = (info: ReturnType<StampDoor['info']>): StampDoor => ({
    interfaces: () => [],
    info: () => info,
    read: () => known(OFF),
    write: () => unknown('not asked'),
  });

  it.each([
    ['no frames', known({ receives: false, phc: 0, filters: 0xffff }), /does not stamp received frames/],
    ['frames, by no filter', known({ receives: true, phc: 0, filters: 1 }), /no receive filter but none/],
    ['frames, with no clock', known({ receives: true, phc: undefined, filters: 3 }), /no clock/],
    ['nobody knows', unknown('the driver does not say'), /does not say/],
  ])('%s', (_, info, why) => {
    expect(stampingOf('eth7', door(info))).toMatchObject({ known: false, why: expect.stringMatching(why) });
  });
});
