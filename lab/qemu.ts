/** The QEMU command line as one pure function. */
import { ADDRESSES } from './frames.js';
import { EXCHANGE_TAG, ROOT_TAG } from './guest-scripts.js';
import type { NicSpec } from './nics.js';

/** The guest's NIC address, and the address frames come from. */
export const GUEST_MAC = ADDRESSES.guestMac;

/** All that decides a guest. Paths are the host's. */
export interface QemuOptions {
  readonly kernel: string;
  readonly initramfs: string;
  readonly cpus: number;
  /** MiB. */
  readonly memory: number;
  /** Undefined: a guest without a NIC. */
  readonly nic: NicSpec | undefined;
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
  return [...words, 'rdinit=/init', ...(options.append === '' ? [] : [options.append])].join(' ');
}

function nicArguments(nic: NicSpec, socket: string): string[] {
  // No option ROM: the guest never boots from the network.
  const device = [nic.model.device, 'netdev=n0', `mac=${GUEST_MAC}`, 'romfile='].join(',');
  return ['-netdev', `stream,id=n0,server=on,addr.type=unix,addr.path=${comma(socket)}`, '-device', device];
}

/** QEMU's option lists are split at commas; a comma inside a value is doubled. */
const comma = (value: string): string => value.replaceAll(',', ',,');

/** Arguments for qemu-system-x86_64. */
export function qemuArguments(options: QemuOptions): string[] {
  const cpus = options.icount ? 1 : options.cpus;
  const threads = options.icount ? 'single' : 'multi';
  return [
    ...['-nodefaults', '-no-user-config', '-no-reboot', '-display', 'none'],
    ...(options.data === undefined ? [] : ['-L', options.data]),
    ...['-machine', 'q35', '-cpu', 'max', '-accel', `tcg,thread=${threads}`],
    ...(options.icount ? ['-icount', 'shift=0'] : []),
    ...['-smp', String(cpus), '-m', `${options.memory}M`],
    ...['-kernel', options.kernel, '-initrd', options.initramfs, '-append', kernelLine(options)],
    ...['-chardev', `file,id=console,path=${comma(options.consoleLog)}`, '-serial', 'chardev:console'],
    ...['-device', 'virtio-serial-pci,max_ports=2'],
    ...['-chardev', `socket,id=control,server=on,wait=off,path=${comma(options.controlSocket)}`],
    ...['-device', 'virtserialport,chardev=control,nr=1,name=rxlab'],
    ...[
      '-fsdev',
      'local,id=root,path=/,security_model=none,readonly=on,multidevs=remap',
      '-device',
      `virtio-9p-pci,fsdev=root,mount_tag=${ROOT_TAG}`,
    ],
    ...[
      '-fsdev',
      `local,id=exchange,path=${comma(options.exchange)},security_model=none`,
      '-device',
      `virtio-9p-pci,fsdev=exchange,mount_tag=${EXCHANGE_TAG}`,
    ],
    ...(options.nic === undefined ? [] : nicArguments(options.nic, options.frameSocket)),
    ...(options.trace.length === 0
      ? []
      : [
          '-msg',
          'timestamp=on',
          '-D',
          options.traceLog,
          ...options.trace.flatMap((event) => ['-trace', event]),
        ]),
  ];
}
