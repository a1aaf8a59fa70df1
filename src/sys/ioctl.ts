/** ioctl on a device file or on a network interface. Callers lay out the bytes; results come back in them. */
import { closeSync } from 'node:fs';
import koffi from 'koffi';
import { lastErrno } from './libc.js';

const libc = koffi.load('libc.so.6');
const call = libc.func('int ioctl(int fd, unsigned long request, void *bytes)');
const socket = libc.func('int socket(int domain, int type, int protocol)');

const AF_INET = 2;
const SOCK_DGRAM_CLOEXEC = 2 | 0o2000000;

/** `_IOC` of include/uapi/asm-generic/ioctl.h: the number of a request whose argument has `size` bytes. */
export function ioc(direction: 'write' | 'both', type: string, number: number, size: number): number {
  return (
    (direction === 'write' ? 0x4000_0000 : 0xc000_0000) + size * 0x1_0000 + type.charCodeAt(0) * 256 + number
  );
}

/** Calls ioctl. @returns 0, or the errno */
export function ioctl(fd: number, request: number, bytes: Uint8Array): number {
  return (call(fd, request, bytes) as number) < 0 ? lastErrno() : 0;
}

/** socket(2). @returns the descriptor, or -1 and lastErrno() */
export function openSocket(domain: number, type: number, protocol: number): number {
  return socket(domain, type, protocol) as number;
}

/** struct ifreq: 16 bytes of name, then a union of 24; here a pointer. */
const IFREQ = { size: 40, name: 16 } as const;

/**
 * An ioctl of a network interface whose argument is a struct behind ifr_data.
 * @returns 0, or the errno: ENODEV where there is no such interface in this network namespace
 */
export function interfaceIoctl(iface: string, request: number, data: Uint8Array): number {
  const fd = openSocket(AF_INET, SOCK_DGRAM_CLOEXEC, 0);
  if (fd < 0) return lastErrno();
  try {
    const bytes = new Uint8Array(IFREQ.size);
    bytes.set(Buffer.from(iface).subarray(0, IFREQ.name - 1));
    new DataView(bytes.buffer).setBigUint64(IFREQ.name, koffi.address(data), true);
    return ioctl(fd, request, bytes);
  } finally {
    closeSync(fd);
  }
}
