/**
 * `node tun.js NAME` makes a tun interface, which has no link layer, and prints `ready`. What comes on standard input, IP
 * packets in hexadecimal, one per line, is received on it, with `received N` behind each; the interface goes with the process.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import koffi from 'koffi';

const ioctl = koffi.load('libc.so.6').func('int ioctl(int fd, unsigned long request, void *argument)');
const TUNSETIFF = 0x400454ca;
const IFF_TUN = 0x0001;
const IFF_NO_PI = 0x1000;

const request = Buffer.alloc(40);
request.write(process.argv[2] ?? 'tun', 0, 15, 'latin1');
request.writeUInt16LE(IFF_TUN | IFF_NO_PI, 16);
const fd = openSync('/dev/net/tun', 'r+');
if ((ioctl(fd, TUNSETIFF, request) as number) !== 0) throw new Error(`TUNSETIFF: errno ${koffi.errno()}`);
process.stdout.write('ready\n');
let received = 0;
for await (const line of createInterface({ input: process.stdin })) {
  writeSync(fd, Buffer.from(line, 'hex'));
  process.stdout.write(`received ${++received}\n`);
}
closeSync(fd);
