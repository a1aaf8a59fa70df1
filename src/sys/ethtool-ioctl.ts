/** The kernel's ethtool calls themselves, without the ethtool program: exact errnos, and bytes that can be put back. */
import { constants } from 'node:os';
import { interfaceIoctl } from './ioctl.js';
import { errnoText } from './libc.js';

const SIOCETHTOOL = 0x8946;

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

/** One ethtool call: the kernel reads `bytes` and writes its answer there. Returns 0 or the errno. */
export type EthtoolCall = (bytes: Uint8Array) => number;

/** Calls on one interface of this network namespace. */
export function ethtoolCalls(iface: string): EthtoolCall {
  return (bytes) => interfaceIoctl(iface, SIOCETHTOOL, bytes);
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

/** What an errno of an {@link EthtoolCall} means, in words with its name. */
export function refusal(errno: number): string {
  return REASONS[errno] ?? errnoText(errno);
}
