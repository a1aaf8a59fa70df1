import { readFileSync } from 'node:fs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { FakeKernel } from '../../test/support/kernel-files.js';
import { CHANGE_KINDS, type Change, changes, identityOf, look } from './watch.js';

const PCI = '0000:00:04.0';

function machine(): FakeKernel {
  const kernel = new FakeKernel()
    .nic('eth0', 2, PCI, { 31: 'eth0-rx-0', 32: 'eth0-rx-1' })
    .software('veth9', 4, '')
    .write({ 'sys/devices/system/cpu/online': '0-3' });
  onTestFinished(() => kernel.close());
  return kernel;
}

/** What is noticed about an interface when `change` happens. */
function noticed(kernel: FakeKernel, name: string, change: () => void): Change[] {
  const identities = [identityOf(name, kernel.files)!];
  const before = look(identities, undefined, kernel.files);
  change();
  return changes(before, look(identities, before, kernel.files), identities);
}

const device = `sys/devices/pci0000:00/${PCI}`;

describe('what a look notices', () => {
  it('is nothing where nothing changes', () => {
    const kernel = machine();
    expect(noticed(kernel, 'eth0', () => undefined)).toEqual([]);
    expect(noticed(kernel, 'veth9', () => undefined)).toEqual([]);
  });

  it('is down without a word about the interrupts that go with it, and up', () => {
    const kernel = machine();
    const down = noticed(kernel, 'eth0', () => {
      kernel
        .write({ [`${device}/net/eth0/flags`]: '0x1002' })
        .remove('proc/irq/31')
        .remove('proc/irq/32');
    });
    expect(down).toEqual([{ what: 'down', text: 'eth0 was brought down', interface: 'eth0' }]);
    const up = noticed(kernel, 'eth0', () => {
      kernel.write({ [`${device}/net/eth0/flags`]: '0x1003' }).irq(PCI, 31, 'eth0-rx-0');
    });
    expect(up).toEqual([{ what: 'up', text: 'eth0 was brought up', interface: 'eth0' }]);
  });

  it('is other interrupts, and another number of queues', () => {
    const kernel = machine();
    const found = noticed(kernel, 'eth0', () => {
      kernel.irq(PCI, 33, 'eth0-rx-2').write({ [`${device}/net/eth0/queues/rx-2/rps_cpus`]: '0' });
    });
    expect(found.map(({ what, text }) => [what, text])).toEqual([
      ['queues', 'eth0 has 3 receive queues now (was 2)'],
      ['irqs', 'interrupts of eth0 are 31, 32, 33 now (were 31, 32)'],
    ]);
  });

  it('is an interrupt that may go elsewhere', () => {
    const kernel = machine();
    const found = noticed(kernel, 'eth0', () => kernel.write({ 'proc/irq/32/smp_affinity_list': '0,3' }));
    expect(found).toEqual([
      {
        what: 'affinity',
        text: 'IRQ 32 (eth0-rx-1) may go to CPU 0,3 now (was 0-1)',
        interface: 'eth0',
        irq: 32,
        cpus: [0, 3],
      },
    ]);
  });

  it('is a device whose driver goes, and one that comes back under another name and number', () => {
    const kernel = machine();
    const identities = [identityOf('eth0', kernel.files)!];
    const here = look(identities, undefined, kernel.files);
    kernel.remove('sys/class/net/eth0').remove(`${device}/net`);
    const gone = look(identities, here, kernel.files);
    expect(changes(here, gone, identities).map(({ what }) => what)).toEqual(['gone']);
    expect(changes(gone, look(identities, gone, kernel.files), identities)).toEqual([]);
    kernel.nic('enp4', 9, PCI, {});
    const back = look(identities, gone, kernel.files);
    const [change] = changes(gone, back, identities);
    expect(change).toMatchObject({ what: 'back', interface: 'enp4' });
    expect(change?.text).toContain('interface number 9');
    // The same between two looks.
    expect(changes(here, back, identities).map(({ what }) => what)).toEqual(['back']);
  });

  it('is a software interface that is renamed, and one that is made anew under its name', () => {
    const kernel = machine();
    const renamed = noticed(kernel, 'veth9', () => {
      kernel.remove('sys/class/net/veth9').software('lan9', 4, '');
    });
    expect(renamed).toEqual([{ what: 'renamed', text: 'veth9 is called lan9 now', interface: 'lan9' }]);
    const anew = noticed(kernel, 'lan9', () => {
      kernel.remove('sys/class/net/lan9').software('lan9', 12, '');
    });
    expect(anew.map(({ what }) => what)).toEqual(['back']);
  });

  it('is a CPU that goes off line and comes back', () => {
    const kernel = machine();
    const off = noticed(kernel, 'eth0', () => kernel.write({ 'sys/devices/system/cpu/online': '0,2-3' }));
    expect(off).toEqual([{ what: 'cpu-offline', cpus: [1], text: 'CPU 1 is offline now' }]);
    const on = noticed(kernel, 'eth0', () => kernel.write({ 'sys/devices/system/cpu/online': '0-3' }));
    expect(on).toEqual([{ what: 'cpu-online', cpus: [1], text: 'CPU 1 is online now' }]);
  });
});

it('the kinds of changes are those of the NDJSON schema', () => {
  const text = readFileSync(new URL('../../docs/ndjson.schema.json', import.meta.url), 'utf8');
  const schema = JSON.parse(text) as { $defs: { note: { properties: { what: { enum: string[] } } } } };
  expect(schema.$defs.note.properties.what.enum).toEqual([...CHANGE_KINDS]);
});
