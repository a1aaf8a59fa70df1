/** The kernel's ethtool calls themselves, without the ethtool program: exact errnos, and bytes that can be put back. */
import { closeSync } from 'node:fs';
import koffi from 'koffi';
import { constants } from 'node:os';
import { RxError } from '../base/errors.js';
import { errnoText, lastErrno } from './libc.js';

const libc = koffi.load('libc.so.6');
const socket = libc.func('int socket(int domain, int type, int protocol)');
const ioctl = libc.func('int ioctl(int fd, unsigned long request, void *argument)');

const AF_INET = 2;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const SIOCETHTOOL = 0x8946;
/** struct ifreq: 16 bytes of name, then a pointer in a union of 24 bytes. */
const IFREQ = { name: 0, data: 16, SIZE: 40, NAME_SIZE: 16 } as const;

/** Commands of include/uapi/linux/ethtool.h. */
export const ETHTOOL = {
  GSTRINGS: 0x1b,
  GSTATS: 0x1d,
  GRXFH: 0x29,
  SRXFH: 0x2a,
  GRXRINGS: 0x2d,
  GRXCLSRLCNT: 0x2e,
  GRXCLSRULE: 0x2f,
  GRXCLSRLALL: 0x30,
  SRXCLSRLDEL: 0x31,
  SRXCLSRLINS: 0x32,
  GSSET_INFO: 0x37,
  GFEATURES: 0x3a,
  SFEATURES: 0x3b,
  GRSSH: 0x46,
  SRSSH: 0x47,
} as const;

/** One ethtool call: the kernel reads `bytes` and writes its answer there. Returns its result, or minus the errno. */
export type EthtoolCall = (bytes: Uint8Array) => number;

/**
 * Calls on one interface of this network namespace; each opens and closes its own socket.
 * @throws RxError RXS_SYS where not even a socket can be had
 */
export function ethtoolCalls(iface: string): EthtoolCall {
  return (bytes) => {
    const fd: number = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
      throw new RxError('RXS_SYS', {
        doing: 'opening a socket for',
        subject: iface,
        why: errnoText(lastErrno()),
        hint: 'are sockets forbidden to this process?',
      });
    }
    const data: bigint = koffi.address(koffi.alloc('uint64_t', Math.ceil(bytes.length / 8)));
    try {
      const shared = new Uint8Array(koffi.view(data, bytes.length));
      shared.set(bytes);
      const request = Buffer.alloc(IFREQ.SIZE);
      request.write(iface.slice(0, IFREQ.NAME_SIZE - 1), IFREQ.name, 'latin1');
      request.writeBigUInt64LE(data, IFREQ.data);
      const result: number = ioctl(fd, SIOCETHTOOL, request);
      const errno = lastErrno();
      bytes.set(shared);
      return result < 0 ? -errno : result;
    } finally {
      koffi.free(data);
      closeSync(fd);
    }
  };
}

const REASONS: Readonly<Record<number, string>> = {
  [constants.errno.EOPNOTSUPP]: 'the driver does not support it (EOPNOTSUPP)',
  [constants.errno.EINVAL]: 'the driver does not accept it (EINVAL)',
  [constants.errno.EPERM]: 'not permitted: CAP_NET_ADMIN is needed (EPERM)',
  [constants.errno.ENOSPC]: 'no room for it in the NIC (ENOSPC)',
  [constants.errno.EBUSY]: 'the driver is busy, or something else uses it (EBUSY)',
  [constants.errno.EEXIST]: 'the NIC has this rule already (EEXIST)',
  [constants.errno.ENODEV]: 'the interface is gone or down (ENODEV)',
};

/** What a negative result of an {@link EthtoolCall} means, in words with the errno's name. */
export function refusal(result: number): string {
  return REASONS[-result] ?? errnoText(result);
}
