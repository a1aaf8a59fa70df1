/** Network interfaces in sysfs: /sys/class/net and the devices behind them. */
import { HOST, type KernelFiles } from './files.js';

const NET = '/sys/class/net';

/** What sysfs says about one interface. */
export interface InterfaceFacts {
  readonly name: string;
  readonly ifindex: number;
  /** Resolved folder of the device that the driver is bound to; undefined for software interfaces. */
  readonly device: string | undefined;
  readonly driver: string | undefined;
  /** `pci`, `virtio`, `usb`, `vmbus`, ... */
  readonly busType: string | undefined;
  /** `vlan`, `bridge`, `bond`, `wlan`; undefined for plain interfaces. */
  readonly kind: string | undefined;
  readonly rxQueues: number;
  /** Interfaces below a stacked one. */
  readonly lower: readonly string[];
  readonly up: boolean;
}

/** Names of all interfaces in this network namespace (as sysfs shows it). */
export function interfaceNames(files: KernelFiles = HOST): string[] {
  // bonding_masters lies there too and is a file, not an interface.
  return files.list(NET).filter((name) => files.has(`${NET}/${name}/ifindex`));
}

const lastPart = (path: string | undefined): string | undefined => path?.split('/').at(-1);

/** Facts about `name`; undefined when there is no such interface. */
export function interfaceFacts(name: string, files: KernelFiles = HOST): InterfaceFacts | undefined {
  if (!interfaceNames(files).includes(name)) return undefined;
  const folder = `${NET}/${name}`;
  const device = files.real(`${folder}/device`);
  return {
    name,
    ifindex: Number(files.text(`${folder}/ifindex`)),
    device,
    driver: device === undefined ? undefined : lastPart(files.real(`${device}/driver`)),
    busType: device === undefined ? undefined : lastPart(files.real(`${device}/subsystem`)),
    kind: /^DEVTYPE=(.*)$/m.exec(files.text(`${folder}/uevent`) ?? '')?.[1],
    rxQueues: files.list(`${folder}/queues`).filter((queue) => queue.startsWith('rx-')).length,
    lower: files
      .list(folder)
      .filter((entry) => entry.startsWith('lower_'))
      .map((entry) => entry.slice('lower_'.length)),
    // IFF_UP of include/uapi/linux/if.h.
    up: (Number(files.text(`${folder}/flags`) ?? '0') & 1) === 1,
  };
}

/** Interface types (include/uapi/linux/if_arp.h) whose packets begin with an Ethernet header. */
const ARPHRD_ETHERNET = [1 /* ether */, 772 /* loopback */];
/** And those whose packets begin with the IP header. */
const ARPHRD_IP = [
  512 /* ppp */, 519 /* rawip */, 768 /* tunnel */, 769 /* tunnel6 */, 776 /* sit */, 778 /* ipgre */,
  823 /* ip6gre */, 65534 /* none: tun, wireguard */,
];

/** How received packets of an interface begin; undefined for other kinds and for none of that name. */
export function linkTypeOf(name: string, files: KernelFiles = HOST): 'ethernet' | 'raw' | undefined {
  const type = Number(files.text(`${NET}/${name}/type`));
  if (ARPHRD_ETHERNET.includes(type)) return 'ethernet';
  return ARPHRD_IP.includes(type) ? 'raw' : undefined;
}

/**
 * The bus device whose interrupts serve a network device, and their numbers. A virtio device has none of its own:
 * they belong to the PCI function it sits on. No other bus is climbed: above a USB NIC lies a host controller, and
 * above a PCI function a bridge, whose interrupts are not the NIC's.
 */
export function deviceIrqs(
  facts: InterfaceFacts,
  files: KernelFiles = HOST,
): { readonly bus: string | undefined; readonly irqs: readonly number[]; readonly msi: boolean } {
  if (facts.device === undefined) return { bus: undefined, irqs: [], msi: false };
  const owner = facts.busType === 'virtio' ? facts.device.replace(/\/[^/]+$/, '') : facts.device;
  const bus = lastPart(owner);
  const msi = files.list(`${owner}/msi_irqs`).map(Number);
  if (msi.length > 0) return { bus, irqs: msi.sort((a, b) => a - b), msi: true };
  const single = Number(files.text(`${owner}/irq`) ?? '0');
  return { bus, irqs: single > 0 ? [single] : [], msi: false };
}

/** The PCI function that owns an MSI or MSI-X interrupt: address, driver, whether it is a network controller. */
export function pciOwner(
  irq: number,
  files: KernelFiles = HOST,
): { readonly address: string; readonly driver: string | undefined; readonly network: boolean } | undefined {
  const root = '/sys/bus/pci/devices';
  for (const address of files.list(root)) {
    const folder = `${root}/${address}`;
    if (!files.list(`${folder}/msi_irqs`).includes(String(irq))) continue;
    return {
      address,
      driver: lastPart(files.real(`${folder}/driver`)),
      network: (files.text(`${folder}/class`) ?? '').startsWith('0x02'),
    };
  }
  return undefined;
}
