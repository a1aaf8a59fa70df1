/** Tells that some network interface has changed (rtnetlink), so that nobody has to look often. */
import { closeSync } from 'node:fs';
import { constants } from 'node:os';
import koffi from 'koffi';
import { openSocket } from './ioctl.js';
import { lastErrno } from './libc.js';

const libc = koffi.load('libc.so.6');
const bind = libc.func('int bind(int fd, void *address, uint32_t length)');
const recv = libc.func('long recv(int fd, void *buffer, size_t length, int flags)');

const AF_NETLINK = 16;
const SOCK_RAW_NONBLOCK_CLOEXEC = 3 | 0o4000 | 0o2000000;
const NETLINK_ROUTE = 0;
const RTMGRP_LINK = 1;
const MSG_TRUNC = 0x20;

/** A listener. */
export interface LinkEvents {
  /** True when an interface of this network namespace has changed since the last call. Never waits. */
  changed(): boolean;
  close(): void;
}

/** Opens a listener; undefined where the kernel refuses it, and then looking now and then must do. */
export function openLinkEvents(): LinkEvents | undefined {
  const fd = openSocket(AF_NETLINK, SOCK_RAW_NONBLOCK_CLOEXEC, NETLINK_ROUTE);
  if (fd < 0) return undefined;
  // struct sockaddr_nl: family, padding, port (0: the kernel chooses), groups.
  const address = new Uint32Array([AF_NETLINK, 0, RTMGRP_LINK]);
  if ((bind(fd, address, address.byteLength) as number) < 0) {
    closeSync(fd);
    return undefined;
  }
  const buffer = new Uint8Array(64);
  return {
    changed() {
      let any = false;
      // What has changed is looked up; a full buffer (ENOBUFS) means that something has.
      for (let i = 0; i < 1000; i++) {
        const length = recv(fd, buffer, buffer.length, MSG_TRUNC) as number;
        if (length < 0 && lastErrno() !== constants.errno.ENOBUFS) break;
        any = true;
      }
      return any;
    },
    close: () => closeSync(fd),
  };
}
