import { describe, expect, it, onTestFinished } from 'vitest';
import { FakeKernel } from '../../test/support/kernel-files.js';
import { below } from './upper.js';

/** Two NICs with an interrupt each, and a veth. */
function machine(): FakeKernel {
  const kernel = new FakeKernel()
    .nic('eth0', 2, '0000:00:04.0', { 31: 'eth0-rx-0' })
    .nic('eth1', 3, '0000:00:05.0', { 41: 'eth1-rx-0' })
    .interrupts({ 31: 'eth0-rx-0', 41: 'eth1-rx-0' })
    .software('veth9', 4, '');
  onTestFinished(() => kernel.close());
  return kernel;
}

/** What drivers answer where sysfs has no kind. */
const KINDS: Readonly<Record<string, string>> = { mv: 'macvlan', x: 'ipvlan' };

const found = (kernel: FakeKernel, name: string) => {
  const under = below(name, kernel.files, (asked) => KINDS[asked]);
  return under && { ...under, nics: under.nics.map((nic) => nic.name) };
};

describe('the NICs below an upper interface', () => {
  it('of a VLAN: its lower one, and of that the packets with the tag', () => {
    const kernel = machine().software('eth0.5', 5, 'vlan', ['eth0']);
    kernel.write({ 'proc/net/vlan/eth0.5': 'eth0.5  VID: 5\t REORDER_HDR: 1  dev->priv_flags: 1021' });
    expect(found(kernel, 'eth0.5')).toEqual({
      nics: ['eth0'],
      expression: '(vlan 5)',
      text: 'eth0.5 (vlan) has no interrupts: packets are stamped at eth0, where they arrive; shown are those of VLAN 5',
    });
  });

  it('of a VLAN in a VLAN: the outer tag is asked for first', () => {
    const kernel = machine().software('outer', 5, 'vlan', ['eth0']).software('inner', 6, 'vlan', ['outer']);
    kernel.write({ 'proc/net/vlan/outer': 'outer  VID: 100', 'proc/net/vlan/inner': 'inner  VID: 7' });
    expect(found(kernel, 'inner')?.expression).toBe('(vlan 100) and (vlan 7)');
  });

  it('of a bond: all of them, with all their packets; of a VLAN on it: all of them, with the tag', () => {
    const kernel = machine()
      .software('bond0', 5, 'bond', ['eth0', 'eth1'])
      .software('v', 6, 'vlan', ['bond0']);
    kernel.write({ 'proc/net/vlan/v': 'v  VID: 9' });
    expect(found(kernel, 'bond0')).toMatchObject({ nics: ['eth0', 'eth1'], expression: undefined });
    expect(found(kernel, 'v')).toMatchObject({ nics: ['eth0', 'eth1'], expression: '(vlan 9)' });
  });

  it('of a bridge: its ports that have interrupts, and it is said which have none', () => {
    const under = found(machine().software('br0', 5, 'bridge', ['eth1', 'veth9']), 'br0');
    expect(under).toMatchObject({ nics: ['eth1'], expression: undefined });
    expect(under?.text).toContain('what comes by veth9 is not seen (no interrupts)');
  });

  it('of a macvlan: its lower one, and of that what is for its address or for a group', () => {
    const kernel = machine().software('mv', 5, '', ['eth0']);
    kernel.write({ 'sys/class/net/mv/address': '02:00:00:00:00:07' });
    expect(found(kernel, 'mv')?.expression).toBe('(ether dst 02:00:00:00:00:07 or ether multicast)');
  });

  it('of any other kind: all packets of the lower one, and that is said', () => {
    expect(found(machine().software('x', 5, '', ['eth0']), 'x')?.text).toMatch(
      /^x \(ipvlan\) .* not only those of x/,
    );
  });

  it('are none where nothing below has interrupts, and of an interface that lies on none', () => {
    const kernel = machine().software('br1', 5, 'bridge', ['veth9']);
    expect([found(kernel, 'br1'), found(kernel, 'veth9'), found(kernel, 'eth0')]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });
});
