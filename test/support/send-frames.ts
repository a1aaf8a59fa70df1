/** `node send-frames.js INTERFACE` sends the frames of standard input, one in hexadecimal per line, as they are. */
import { readFileSync } from 'node:fs';
import koffi from 'koffi';

const libc = koffi.load('libc.so.6');
const socket = libc.func('int socket(int domain, int type, int protocol)');
const sendto = libc.func(
  'long sendto(int fd, const void *bytes, size_t length, int flags, const void *address, uint32_t size)',
);
const AF_PACKET = 17;
const SOCK_RAW = 3;

const name = process.argv[2] ?? '';
const ifindex = Number(readFileSync(`/sys/class/net/${name}/ifindex`, 'utf8'));
const fd = socket(AF_PACKET, SOCK_RAW, 0) as number;
for (const line of readFileSync(0, 'latin1').trim().split('\n')) {
  const frame = Buffer.from(line, 'hex');
  // struct sockaddr_ll: family, protocol, ifindex, then the hardware address.
  const address = Buffer.alloc(20);
  address.writeUInt16LE(AF_PACKET, 0);
  address.set(frame.subarray(12, 14), 2);
  address.writeInt32LE(ifindex, 4);
  const sent = sendto(fd, frame, frame.length, 0, address, address.length) as number;
  if (sent !== frame.length) throw new Error(`sent ${sent} of ${frame.length}: errno ${koffi.errno()}`);
}
