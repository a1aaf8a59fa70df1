/** Splits frames into IP fragments. */
import { checksum } from './frames.js';

const ETHERNET = 14;
const FRAGMENT_HEADER = 44;

function fragmentIpv4(frame: Buffer, id: number, size: number): Buffer[] {
  const header = frame.subarray(ETHERNET, ETHERNET + 20);
  const body = frame.subarray(ETHERNET + 20, ETHERNET + header.readUInt16BE(2));
  const out: Buffer[] = [];
  for (let at = 0; at < body.length; at += size) {
    const part = body.subarray(at, at + size);
    const head = Buffer.from(header);
    head.writeUInt16BE(20 + part.length, 2);
    head.writeUInt16BE(id, 4);
    head.writeUInt16BE((at + size < body.length ? 0x2000 : 0) | (at / 8), 6);
    head.writeUInt16BE(0, 10);
    head.writeUInt16BE(checksum(head), 10);
    out.push(Buffer.concat([frame.subarray(0, ETHERNET), head, part]));
  }
  return out;
}

function fragmentIpv6(frame: Buffer, id: number, size: number): Buffer[] {
  const header = frame.subarray(ETHERNET, ETHERNET + 40);
  const body = frame.subarray(ETHERNET + 40, ETHERNET + 40 + header.readUInt16BE(4));
  const out: Buffer[] = [];
  for (let at = 0; at < body.length; at += size) {
    const part = body.subarray(at, at + size);
    const head = Buffer.from(header);
    const extension = Buffer.alloc(8);
    extension[0] = header[6] as number;
    extension.writeUInt16BE(at | (at + size < body.length ? 1 : 0), 2);
    extension.writeUInt32BE(id, 4);
    head[6] = FRAGMENT_HEADER;
    head.writeUInt16BE(8 + part.length, 4);
    out.push(Buffer.concat([frame.subarray(0, ETHERNET), head, extension, part]));
  }
  return out;
}

/**
 * The fragments of an IP frame without options or tags, in order.
 * @param id identification of the datagram
 * @param size bytes of it per fragment, a multiple of 8
 */
export function fragments(frame: Buffer, id: number, size: number): Buffer[] {
  if (size % 8 !== 0 || size <= 0) throw new RangeError(`fragments of ${size} bytes, needs a multiple of 8`);
  return frame.readUInt16BE(12) === 0x86dd ? fragmentIpv6(frame, id, size) : fragmentIpv4(frame, id, size);
}
