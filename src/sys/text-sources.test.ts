import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { effectiveCapabilities, missingForTracing } from './caps.js';
import { parseCoalescing, parseOffloads, parseXdp } from './ethtool.js';
import { HOST } from './files.js';
import { parseCpuList } from './interrupts.js';
import { debugIrq } from './irq-debugfs.js';
import { findSymbols, functionAt } from './kallsyms.js';
import { pageVariables } from './page-variables.js';
import { kernelConfig } from './kernel-config.js';
import { runProgram } from './programs.js';
import { savedFiles } from './saved-files.js';

const having = (hex: string) => effectiveCapabilities(savedFiles(`/proc/self/status = CapEff:\t${hex}\n`));

describe('kernel files', () => {
  it('of a saved machine behave like the machine: links, folders, values, absence', () => {
    const files = savedFiles(`
# comment
/sys/class/net/eth0 -> ../../devices/pci0/eth0
/sys/devices/pci0/eth0/ifindex = 4
/sys/devices/pci0/eth0/uevent:
	INTERFACE=eth0
	
	IFINDEX=4
/sys/devices/pci0/eth0/device -> ../../pci0
/loop -> /loop
`);
    expect(files.text('/sys/class/net/eth0/ifindex')).toBe('4');
    expect(files.text('/sys/class/net/eth0/uevent')).toBe('INTERFACE=eth0\n\nIFINDEX=4');
    expect(files.real('/sys/class/net/eth0/device')).toBe('/sys/devices/pci0');
    expect(files.list('/sys/class/net/eth0')).toEqual(['device', 'ifindex', 'uevent']);
    expect(files.text('/sys/class/net/eth0')).toBeUndefined();
    expect(files.has('/loop')).toBe(false);
    expect(files.ask('/nowhere')).toEqual({ known: false, why: '/nowhere: does not exist here' });
  });

  it('of this machine say why they cannot be read', () => {
    expect(HOST.ask('/proc/no-such-file')).toEqual({
      known: false,
      why: '/proc/no-such-file: does not exist here',
    });
    expect(HOST.text('/proc/self/status')).toMatch(/^Name:/);
    expect(HOST.list('/proc/no-such-folder')).toEqual([]);
  });
});

describe('capabilities', () => {
  it('are read from the bits', () => {
    expect([...(having('000000c000000000') ?? [])]).toEqual(['CAP_BPF', 'CAP_PERFMON']);
    expect(effectiveCapabilities(savedFiles(''))).toBeUndefined();
  });

  it('suffice with CAP_BPF and CAP_PERFMON, or with CAP_SYS_ADMIN', () => {
    expect(missingForTracing(having('000000c000000000') ?? new Set())).toEqual([]);
    expect(missingForTracing(having('0000000000200000') ?? new Set())).toEqual([]);
    expect(missingForTracing(having('0000008000000000') ?? new Set())).toEqual(['CAP_PERFMON']);
    expect(missingForTracing(having('0000000000000000') ?? new Set())).toEqual(['CAP_BPF', 'CAP_PERFMON']);
  });
});

describe('lists and symbols', () => {
  it('expand CPU lists', () => {
    expect(parseCpuList('0-2,7')).toEqual([0, 1, 2, 7]);
    expect(parseCpuList('')).toEqual([]);
  });

  it('find symbols by exact name, with their module', () => {
    const files = savedFiles(`/proc/kallsyms:
	ffffffff81000000 T ip_rcv
	ffffffff81000010 T ip_rcv_core
	0000000000000000 t igb_poll	[igb]
`);
    expect(findSymbols(['ip_rcv', 'igb_poll'], files)).toEqual([
      { name: 'ip_rcv', address: 0xffffffff81000000n, type: 'T', module: undefined },
      { name: 'igb_poll', address: 0n, type: 't', module: 'igb' },
    ]);
    expect(findSymbols(['ip_rcv'], savedFiles(''))).toBeUndefined();
    expect(functionAt(0xffffffff81000010n, files)).toBe('ip_rcv_core');
    expect(functionAt(0xffffffff81000011n, files)).toBeUndefined();
    // Where the kernel hides addresses all of them are 0.
    expect(functionAt(0n, files)).toBeUndefined();
  });

  it('find the two variables behind page_address(), or neither', () => {
    const both = (first: string): string => `/proc/kallsyms:
	ffffffff81000000 T page_offset_base_of
	ffffffff82a1c5d0 D page_offset_base
	${first} D vmemmap_base
	ffffffff82a1c5e0 D vmalloc_base
`;
    expect(pageVariables(savedFiles(both('ffffffff82a1c5d8')))).toEqual({
      pageOffsetBase: 0xffffffff82a1c5d0n,
      vmemmapBase: 0xffffffff82a1c5d8n,
    });
    expect(pageVariables(savedFiles(both('0000000000000000')))).toBeUndefined();
    expect(pageVariables(savedFiles(''))).toBeUndefined();
  });

  it('read the kernel configuration packed or from /boot', () => {
    const boot = savedFiles(`/proc/sys/kernel/osrelease = 6.1.0-test
/boot/config-6.1.0-test:
	CONFIG_BPF=y
	# CONFIG_KPROBES is not set
	CONFIG_HZ=250
`);
    expect([...(kernelConfig(boot) ?? [])]).toEqual([
      ['CONFIG_BPF', 'y'],
      ['CONFIG_KPROBES', 'n'],
      ['CONFIG_HZ', '250'],
    ]);
    const packed = { ...boot, bytes: () => gzipSync('CONFIG_BTF=y\n') };
    expect(kernelConfig(packed)?.get('CONFIG_BTF')).toBe('y');
    expect(kernelConfig(savedFiles(''))).toBeUndefined();
  });

  it('read an interrupt in debugfs', () => {
    const files = savedFiles(`/sys/kernel/debug/irq/irqs/25:
	handler:  handle_edge_irq
	device:   0000:00:02.0
	 hwirq:   0x200001
	 chip:    PCI-MSIX-0000:00:02.0
	    Vector:    37
	    Target:     1
`);
    expect(debugIrq(25, files)).toEqual({
      known: true,
      value: { vector: 37, cpu: 1, flow: 'handle_edge_irq' },
    });
    expect(debugIrq(26, files).known).toBe(false);
  });
});

describe('ethtool', () => {
  it('says n/a for what a driver does not tell', () => {
    expect(parseCoalescing('Adaptive RX: n/a  TX: n/a\nrx-usecs: n/a\nrx-frames: 1\n')).toEqual({
      rxUsecs: null,
      rxFrames: 1,
      adaptiveRx: null,
      rxUsecsHigh: null,
    });
  });

  it('marks fixed features, nested ones too', () => {
    const features = parseOffloads(
      'Features for eth0:\nrx-checksumming: on [fixed]\n\ttx-checksum-ipv4: off\nrx-gro-hw: on\n',
    );
    expect(features.get('rx-checksumming')).toEqual({ on: true, fixed: true });
    expect(features.get('tx-checksum-ipv4')).toEqual({ on: false, fixed: false });
  });

  it('finds XDP programs in what ip prints', () => {
    expect(parseXdp('[{"ifname":"lo"}]')).toEqual([]);
    expect(
      parseXdp('[{"xdp":{"mode":4,"attached":[{"mode":1,"prog":{"id":7}},{"mode":2,"prog":{"id":9}}]}}]'),
    ).toEqual([7, 9]);
    expect(parseXdp('not json')).toBeUndefined();
  });
});

describe('a program', () => {
  it('gives its output, or why not', async () => {
    expect(await runProgram('printf', ['%s', 'hi'])).toEqual({ known: true, value: 'hi' });
    expect(await runProgram('rxstamp-no-such-program', [])).toMatchObject({
      known: false,
      why: expect.stringContaining('is not installed'),
    });
    expect(await runProgram('sh', ['-c', 'echo wrong >&2; exit 3'])).toMatchObject({
      known: false,
      why: expect.stringContaining(': wrong'),
    });
  });
});
