/**
 * Traffic of all kinds in which every frame has a length of its own, so that a trace and a capture can be compared frame
 * by frame, and the expressions to try on it. A VLAN tag that was taken out makes a frame 4 bytes shorter, never one
 * that looks like another.
 */
import {
  ADDRESSES,
  arpFrame,
  checksum,
  echoFrame,
  macBytes,
  udpFrame,
  vlanTagged,
} from '../../lab/frames.js';

/** Expressions, each of which lets some of {@link trafficFrames} through and not all. */
export const EXPRESSIONS: readonly string[] = [
  'udp',
  'tcp',
  'icmp or icmp6',
  'arp',
  'ip6',
  'udp port 9999',
  'dst port 53',
  'portrange 1000-1003',
  'src net 10.77.0.0/24 and not dst port 9999',
  'net fd77::/64 and udp',
  'ip[6:2] & 0x3fff != 0',
  'tcp[tcpflags] & (tcp-syn|tcp-fin) != 0',
  'tcp[((tcp[12] & 0xf0) >> 2):4] = 0x47455420',
  'greater 600',
  'less 300 and ip',
  'ether host 52:54:00:77:00:09',
  'ether broadcast or ether multicast',
  'vlan',
  'vlan 5 and udp port 9999',
  'not vlan and ip',
  'vlan 5 and vlan 6',
  '(udp port 53) or (vlan and udp port 53)',
  'host 10.77.0.9 and not (udp or icmp)',
  'udp[8:4] = 0x72786c61',
  'len % 3 = 1 and (ip[8] < 64 or ip6[7] < 65)',
  'icmp[icmptype] = icmp-echo',
  'ip[0] & 0xf > 5 and ip proto 17',
  'ether proto 0x88f7',
];

const FIRST = 64;
const STEP = 8;

/** Length of frame `index`, tags included. */
const lengthOf = (index: number): number => FIRST + STEP * index;

/** Which frame this was, from its length with or without its outer tag. */
export function frameOf(length: number): number {
  return Math.floor((length - (FIRST - 4)) / STEP);
}

const TAG = 4;
const PEER = ADDRESSES.peerMac;

/** An IPv4 header is 20 bytes at 14; its length field and checksum are set anew. */
function finish4(frame: Buffer): Buffer {
  frame.writeUInt16BE(frame.length - 14, 16);
  frame.writeUInt16BE(0, 24);
  frame.writeUInt16BE(checksum(frame.subarray(14, 14 + (frame[14]! & 15) * 4)), 24);
  return frame;
}

type Make = (length: number) => Buffer;
const udp =
  (change: Partial<Parameters<typeof udpFrame>[0]>, text = 'rxlab '): Make =>
  (length) => {
    const headers = (change.target ?? '').includes(':') ? 62 : 42;
    const payload = Buffer.alloc(length - headers);
    payload.write(text.slice(0, payload.length));
    return udpFrame({ sourcePort: 2000, port: 9999, ...change, payload });
  };
const tcp =
  (port: number, flags: number, text = '', source: string = ADDRESSES.peer4, words = 5): Make =>
  (length) => {
    // Source ports differ, so that nothing of it is one flow that GRO could put together.
    const frame = udpFrame({ sourcePort: 3000 + length, port, source, payload: Buffer.alloc(length - 42) });
    frame[23] = 6;
    frame.fill(0, 38, 38 + 4 * (words - 1));
    frame[46] = words << 4;
    frame[47] = flags;
    frame.fill(1, 54, 34 + words * 4);
    frame.write(text, 34 + words * 4);
    return finish4(frame);
  };
const padded =
  (frame: Buffer): Make =>
  (length) =>
    Buffer.concat([frame, Buffer.alloc(length - frame.length)]);
const echo =
  (version: 4 | 6): Make =>
  (length) =>
    echoFrame(1, version, Buffer.alloc(length - (version === 4 ? 42 : 62)));
const fragment =
  (field: number): Make =>
  (length) => {
    const frame = udp({})(length);
    frame.writeUInt16BE(field, 20);
    return finish4(frame);
  };
const options: Make = (length) => {
  const frame = udp({})(length);
  const longer = Buffer.concat([frame.subarray(0, 34), Buffer.alloc(8, 1), frame.subarray(34, length - 8)]);
  longer[14] = 0x47;
  return finish4(longer);
};
const typed = (type: number, to: string): Make =>
  padded(Buffer.concat([macBytes(to), macBytes(PEER), Buffer.from([type >> 8, type & 255])]));
const timeToLive =
  (value: number): Make =>
  (length) => {
    const frame = udp({})(length);
    frame[22] = value;
    return finish4(frame);
  };
const tagged =
  (make: Make, ...ids: number[]): Make =>
  (length) =>
    ids.reduceRight((frame, id) => vlanTagged(frame, id), make(length - TAG * ids.length));

const six = { source: ADDRESSES.peer6, target: ADDRESSES.guest6 };
const KINDS: readonly Make[] = [
  padded(arpFrame()),
  udp({}),
  udp({ port: 53 }),
  udp({ sourcePort: 53 }, 'other'),
  udp({ sourcePort: 1000 }),
  udp({ sourcePort: 1003, port: 1004 }),
  udp({ port: 1004 }),
  udp({ ...six }),
  udp({ ...six, port: 53 }),
  udp({ source: '192.168.1.7' }),
  udp({ source: '10.77.0.9' }),
  udp({ targetMac: '52:54:00:77:00:09' }),
  udp({ targetMac: 'ff:ff:ff:ff:ff:ff', target: '10.77.0.255' }),
  udp({ targetMac: '01:00:5e:01:02:03', target: '239.1.2.3' }),
  echo(4),
  echo(6),
  tcp(80, 0x02),
  tcp(80, 0x11, '', '10.77.0.9'),
  tcp(80, 0x18, 'GET / HTTP/1.1'),
  tcp(53, 0x18, 'GET / HTTP/1.1', ADDRESSES.peer4, 8),
  tcp(9999, 0x10, '', '10.77.0.9'),
  fragment(0x2000),
  fragment(0x00b9),
  fragment(0x0001),
  options,
  timeToLive(1),
  typed(0x88f7, '01:1b:19:00:00:00'),
  typed(0x88cc, '01:80:c2:00:00:0e'),
  tagged(udp({}), 5),
  tagged(udp({ port: 53 }), 6),
  tagged(udp({ ...six }), 5),
  tagged(padded(arpFrame()), 5),
  tagged(tcp(80, 0x02), 6),
  tagged(udp({}), 5, 6),
  tagged(udp({}), 6, 5),
  tagged(echo(4), 0),
];

/** The longest frame that an Ethernet carries with a tag. */
const LONGEST = 1514;

/** Frames of all kinds in turn, each with a length of its own. */
export function trafficFrames(): Buffer[] {
  const frames: Buffer[] = [];
  for (let index = 0; lengthOf(index) <= LONGEST; index++) {
    const make = KINDS[index % KINDS.length] as Make;
    // The shortest lengths have no room for every kind.
    const short = lengthOf(index) < 100;
    frames.push((short ? padded(arpFrame()) : make)(lengthOf(index)));
  }
  return frames;
}

/** Frames of a jumbo link: longer than a page, so that a packet socket puts all behind the Ethernet header into pages. */
export function jumboFrames(): Buffer[] {
  const payload = Buffer.alloc(5000);
  const plain = Array.from({ length: 20 }, (_, index) =>
    udpFrame({ sourcePort: 1000 + index, port: index % 2 === 0 ? 53 : 9999, payload }),
  );
  return plain.map((frame, index) => (index % 4 < 2 ? vlanTagged(frame, 5) : frame));
}

/** Frames in the bytes of a pcap file, as {@link frameOf} numbers. */
export function framesInPcap(file: Buffer): number[] {
  const found: number[] = [];
  if (file.readUInt32LE(0) !== 0xa1b2c3d4) throw new Error('no pcap file');
  for (let at = 24; at < file.length; ) {
    const kept = file.readUInt32LE(at + 8);
    found.push(frameOf(file.readUInt32LE(at + 12)));
    at += 16 + kept;
  }
  return found.sort((a, b) => a - b);
}
