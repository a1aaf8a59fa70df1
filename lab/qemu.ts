/** The QEMU command line as one pure function. */
import { ADDRESSES } from './frames.js';
import { EXCHANGE_TAG, ROOT_TAG } from './guest-scripts.js';
import type { NicSpec } from './nics.js';
import { TAP } from './tap.js';

/** All that decides a guest. Paths are the host's. */
export interface QemuOptions {
  readonly kernel: string;
  readonly initramfs: string;
  readonly cpus: number;
  /** MiB. */
  readonly memory: number;
  /** Undefined: a guest without a NIC. */
  readonly nic: NicSpec | undefined;
  /** A second NIC, on a frame socket of its own. */
  readonly second?: { readonly nic: NicSpec; readonly frameSocket: string } | undefined;
  /** Unix socket on which QEMU takes frames: 4 bytes length, big-endian, then the frame. */
  readonly frameSocket: string;
  /** Unix socket of the virtio-serial port to the agent. */
  readonly controlSocket: string;
  /** Read-write folder shared with the guest. */
  readonly exchange: string;
  readonly consoleLog: string;
  /**
   * One emulated CPU whose clock advances 1 ns per instruction. Otherwise the guest's clock follows the host's.
   */
  readonly icount: boolean;
  /** QEMU trace events (patterns), written with host times (CLOCK_REALTIME, microseconds) to `traceLog`. */
  readonly trace: readonly string[];
  readonly traceLog: string;
  /** More words for the kernel's command line. */
  readonly append: string;
  /** Folder with QEMU's firmware, for a QEMU that is not installed. */
  readonly data?: string | undefined;
}

/** The kernel's command line. A panic ends the guest; mitigations would only blur what the emulator counts. */
function kernelLine(options: QemuOptions): string {
  const words = ['console=ttyS0', 'quiet', 'panic=-1', 'oops=panic', 'mitigations=off', 'tsc=reliable'];
  const uncounted = options.icount
    ? []
    : [
        // Debian's kernels clear each page that they give out, which is slow work for an emulator.
        'init_on_alloc=0',
        // Each command is a session, and so a group whose weight changes all the time, of which the arithmetic of schedulers
        // since 6.6 overflows (20251103130441.1013188-1-quzicheng@huawei.com on LKML). A guest on 6.12 died in
        // pick_task_fair as it is told there; that it was this is inferred.
        'noautogroup',
      ];
  const added = options.append === '' ? [] : [options.append];
  return [...words, ...uncounted, 'rdinit=/init', ...added].join(' ');
}

/**
 * All that the emulator can do; but where time is what counts, a kernel that believes in fast string instructions copies
 * and clears byte by byte here. Without both, starting a trace takes some 15 % less. What is counted stays as it is.
 */
function cpuModel({ icount }: QemuOptions): string {
  return icount ? 'max' : 'max,erms=off,fsrm=off';
}

/** QEMU's option lists are split at commas; a comma inside a value is doubled. */
const comma = (value: string): string => value.replaceAll(',', ',,');

/** A list as QEMU takes it: `first,name=value,…`. */
function list(first: string, settings: Readonly<Record<string, string | number>>): string {
  return [first, ...Object.entries(settings).map(([name, value]) => `${name}=${comma(String(value))}`)].join(
    ',',
  );
}

/**
 * Which of the guest's NICs. The second one's slot has the same interrupt pin routing as the first one's: without MSI
 * (pci=nomsi) they share a line.
 */
const PLACES = [
  { id: 'n0', mac: ADDRESSES.guestMac, more: {} },
  { id: 'n1', mac: ADDRESSES.secondMac, more: { addr: '0x8' } },
] as const;

function nicArguments(nic: NicSpec, socket: string, place: (typeof PLACES)[number] = PLACES[0]): string[][] {
  const { id, mac, more } = place;
  const { queues } = nic;
  const backend =
    nic.by === 'tap'
      ? list('tap', { id, ifname: TAP, queues, script: 'no', downscript: 'no', vhost: 'off' })
      : list('stream', { id, server: 'on', 'addr.type': 'unix', 'addr.path': socket });
  // A vector per queue and direction, one for changes of settings and one for the control queue. RSS without reported
  // hashes: QEMU then lets the tap spread the flows (BPF); spreading itself, it loses frames of a flood.
  const several = nic.by === 'tap' ? { mq: 'on', vectors: 2 * queues + 2, rss: 'on' } : {};
  // No option ROM: the guest never boots from the network.
  const settings = { netdev: id, mac, romfile: '', ...several, ...more };
  const device = list(nic.model.device, settings);
  return [
    ['-netdev', backend],
    ['-device', device],
  ];
}

function shareArguments(id: string, path: string, tag: string, readonly: boolean): string[][] {
  const settings = { id, path, security_model: 'none', multidevs: 'remap' };
  return [
    ['-fsdev', list('local', readonly ? { ...settings, readonly: 'on' } : settings)],
    ['-device', list('virtio-9p-pci', { fsdev: id, mount_tag: tag })],
  ];
}

/** Arguments for qemu-system-x86_64. */
export function qemuArguments(options: QemuOptions): string[] {
  const traced = options.trace.length > 0;
  const groups: string[][] = [
    ['-nodefaults', '-no-user-config', '-no-reboot'],
    ['-display', 'none'],
    options.data === undefined ? [] : ['-L', options.data],
    ['-machine', 'q35'],
    ['-cpu', cpuModel(options)],
    // One thread for all CPUs. With a thread each, a CPU may translate code that another one is about to patch, and keep
    // the old code for good (accel/tcg/cputlb.c: notdirty_write drops translations, and stores then): a kernel that
    // attaches and detaches probes dies sooner or later of an int3 that it has long removed.
    ['-accel', 'tcg,thread=single'],
    options.icount ? ['-icount', 'shift=0'] : [],
    ['-smp', String(options.icount ? 1 : options.cpus)],
    ['-m', `${options.memory}M`],
    ['-kernel', options.kernel],
    ['-initrd', options.initramfs],
    ['-append', kernelLine(options)],
    ['-chardev', list('file', { id: 'console', path: options.consoleLog })],
    ['-serial', 'chardev:console'],
    ['-device', 'virtio-serial-pci,max_ports=2'],
    ['-chardev', list('socket', { id: 'control', server: 'on', wait: 'off', path: options.controlSocket })],
    ['-device', 'virtserialport,chardev=control,nr=1,name=rxlab'],
    ...shareArguments('root', '/', ROOT_TAG, true),
    ...shareArguments('exchange', options.exchange, EXCHANGE_TAG, false),
    ...(options.nic === undefined ? [] : nicArguments(options.nic, options.frameSocket)),
    ...(options.second === undefined
      ? []
      : nicArguments(options.second.nic, options.second.frameSocket, PLACES[1])),
    traced ? ['-msg', 'timestamp=on', '-D', options.traceLog] : [],
    ...options.trace.map((event) => ['-trace', event]),
  ];
  return groups.flat();
}
