/** A folder that looks like a kernel's files to the readers, for unit tests. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type KernelFiles, kernelFiles } from '../../src/sys/files.js';

/** Such a folder; it can change while it is read. */
export class FakeKernel {
  readonly root = mkdtempSync(join(tmpdir(), 'rxstamp-kernel-'));
  readonly files: KernelFiles = kernelFiles(this.root);

  constructor(content: Readonly<Record<string, string>> = {}) {
    this.write(content);
  }

  /** Texts by path. */
  write(content: Readonly<Record<string, string>>): this {
    for (const [path, text] of Object.entries(content)) {
      mkdirSync(join(this.root, dirname(path)), { recursive: true });
      writeFileSync(join(this.root, path), `${text}\n`);
    }
    return this;
  }

  remove(path: string): this {
    rmSync(join(this.root, path), { recursive: true });
    return this;
  }

  /** An interface without a device. `lower` are the ones it lies on. */
  software(name: string, ifindex: number, kind: string, lower: readonly string[] = []): this {
    const folder = `sys/class/net/${name}`;
    const links = Object.fromEntries(lower.map((one) => [`${folder}/lower_${one}/ifindex`, '0']));
    return this.write({
      [`${folder}/ifindex`]: String(ifindex),
      [`${folder}/flags`]: '0x1003',
      [`${folder}/uevent`]: kind === '' ? `INTERFACE=${name}` : `DEVTYPE=${kind}\nINTERFACE=${name}`,
      [`${folder}/queues/rx-0/rps_cpus`]: '0',
      ...links,
    });
  }

  /** A NIC on a PCI device with these interrupts, each with one handler. */
  nic(name: string, ifindex: number, pci: string, irqs: Readonly<Record<number, string>>): this {
    const device = `sys/devices/pci0000:00/${pci}`;
    this.write({
      [`${device}/net/${name}/ifindex`]: String(ifindex),
      [`${device}/net/${name}/flags`]: '0x1003',
      [`${device}/net/${name}/dev_port`]: '0',
      [`${device}/net/${name}/uevent`]: `INTERFACE=${name}`,
      [`${device}/vendor`]: '0x8086',
    });
    const queues = Object.values(irqs).filter((handler) => /rx-\d/i.test(handler)).length;
    for (let queue = 0; queue < Math.max(1, queues); queue++)
      this.write({ [`${device}/net/${name}/queues/rx-${queue}/rps_cpus`]: '0' });
    mkdirSync(join(this.root, 'sys/class/net'), { recursive: true });
    symlinkSync(`../../devices/pci0000:00/${pci}/net/${name}`, join(this.root, 'sys/class/net', name));
    symlinkSync('../..', join(this.root, device, 'net', name, 'device'));
    for (const [irq, handler] of Object.entries(irqs)) this.irq(pci, Number(irq), handler);
    return this;
  }

  /** One more interrupt of a PCI device. */
  irq(pci: string, irq: number, handler: string): this {
    return this.write({
      [`sys/devices/pci0000:00/${pci}/msi_irqs/${irq}`]: 'msix',
      [`proc/irq/${irq}/smp_affinity_list`]: '0-1',
      [`proc/irq/${irq}/${handler}/.keep`]: '',
    });
  }

  /** /proc/interrupts with these lines. */
  interrupts(lines: Readonly<Record<number, string>>): this {
    const rows = Object.entries(lines).map(
      ([irq, handlers]) => ` ${irq}:          0          0  PCI-MSIX-0000:00:04.0   1-edge      ${handlers}`,
    );
    return this.write({ 'proc/interrupts': ['            CPU0       CPU1', ...rows].join('\n') });
  }

  close(): void {
    rmSync(this.root, { recursive: true });
  }
}
