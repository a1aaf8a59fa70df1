/** Random filter expressions and random packets, both made so that about every second pair has something to tell. */
import * as fc from 'fast-check';
import { arpFrame, echoFrame, udpFrame, vlanTagged } from '../../lab/frames.js';

const HOSTS = ['10.77.0.1', '10.77.0.2', '192.168.1.7', '10.1.2.3'];
const HOSTS6 = ['fd77::1', 'fd77::2', '2001:db8::7'];
const PORTS = [53, 80, 443, 1000, 1003, 9999, 65_535];
const MACS = ['52:54:00:77:00:01', '52:54:00:77:00:02', 'ff:ff:ff:ff:ff:ff', '33:33:00:00:00:01'];

const pick = <T>(list: readonly T[]): fc.Arbitrary<T> => fc.constantFrom(...list);
const side = pick(['', 'src ', 'dst ', 'src or dst ', 'src and dst ']);
const small = fc.nat({ max: 300 });

const primitive: fc.Arbitrary<string> = fc.oneof(
  pick([
    'ip',
    'ip6',
    'arp',
    'rarp',
    'tcp',
    'udp',
    'icmp',
    'icmp6',
    'igmp',
    'sctp',
    'ah',
    'esp',
    'ip proto 47',
    'ip6 proto 58',
    'ether broadcast',
    'ether multicast',
    'ip multicast',
    'ip6 multicast',
    'stp',
    'pppoes',
    'mpls',
    'vlan',
    'vlan 5',
    'ether proto 0x88f7',
    'atalk',
    'ipx',
    'pim',
    'vrrp',
    'iso',
    'lat',
  ]),
  fc.tuple(side, pick(HOSTS)).map(([of, host]) => `${of}host ${host}`),
  fc.tuple(side, pick(HOSTS6)).map(([of, host]) => `${of}host ${host}`),
  fc
    .tuple(
      side,
      pick([
        '10.77.0.0/16',
        '10.0.0.0/8',
        '192.168.1.0/24',
        '128.0.0.0/1',
        'fd77::/16',
        'fd77::/64',
        '10.77.0.2/31',
      ]),
    )
    .map(([of, net]) => `${of}net ${net}`),
  fc
    .tuple(pick(['', 'tcp ', 'udp ', 'sctp ']), side, pick(PORTS))
    .map(([proto, of, port]) => `${proto}${of}port ${port}`),
  fc
    .tuple(pick(['', 'tcp ', 'udp ']), side, small, small)
    .map(([proto, of, a, b]) => `${proto}${of}portrange ${a + 900}-${a + 900 + b}`),
  fc.tuple(pick(['', 'src ', 'dst ']), pick(MACS)).map(([of, mac]) => `ether ${of}host ${mac}`),
  fc.tuple(pick(['less', 'greater']), small).map(([word, n]) => `${word} ${n}`),
  pick([
    'tcp[tcpflags] & (tcp-syn|tcp-fin) != 0',
    'icmp[icmptype] = icmp-echo',
    'icmp6[icmp6type] = icmp6-echo',
    'ip[6:2] & 0x1fff != 0',
    'ip[6:2] & 0x3fff != 0',
    'ip[0] & 0xf != 5',
    'ip[2:2] > 100',
    'ip6[6] = 17',
    '(((ip[2:2] - ((ip[0]&0xf)<<2)) - ((tcp[12]&0xf0)>>2)) != 0)',
    'tcp[((tcp[12]&0xf0)>>2):4] = 0x47455420',
    'udp[4:2] > 60',
    'udp[8:4] = 0x72786c61',
    'ether[0] & 1 = 0 and ip[16] >= 224',
  ]),
);

/** Arithmetic over packet bytes and the length: every operator, computed offsets, division by what may be zero. */
const value: fc.Arbitrary<string> = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, depthSize: 'small' },
    fc
      .tuple(pick(['ether', 'ip', 'tcp', 'udp', 'ip6', 'icmp', 'arp']), fc.nat({ max: 60 }), pick([1, 2, 4]))
      .map(([of, at, size]) => `${of}[${at}:${size}]`),
    small.map(String),
    pick(['len', '0xffffffff', '0x80000000', '65536', '0']),
    fc
      .tuple(tie('value'), pick(['+', '-', '*', '&', '|', '^']), tie('value'))
      .map(([a, op, b]) => `(${a} ${op} ${b})`),
    fc
      .tuple(tie('value'), pick(['/', '%', '<<', '>>']), tie('value'))
      .map(([a, op, b]) => `(${a} ${op} ${b})`),
    fc
      .tuple(pick(['ether', 'ip', 'udp']), tie('value'), pick([1, 2, 4]))
      .map(([of, at, size]) => `${of}[(${at}) & 127:${size}]`),
    tie('value').map((a) => `(-(${a}))`),
  ),
})).value;
const comparison = fc
  .tuple(value, pick(['=', '!=', '<', '>', '<=', '>=']), value)
  .map(([a, op, b]) => `${a} ${op} ${b}`);

/** A filter expression that libpcap may still refuse (it finds divisions by zero, for example). */
export const expressions: fc.Arbitrary<string> = fc.letrec<{ any: string }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 4, depthSize: 'medium' },
    primitive,
    comparison,
    fc.tuple(tie('any'), pick(['and', 'or']), tie('any')).map(([a, op, b]) => `(${a}) ${op} (${b})`),
    tie('any').map((a) => `not (${a})`),
  ),
})).any;

function tcpFrame(sourcePort: number, port: number, flags: number, words: number, payload: Buffer): Buffer {
  const frame = udpFrame({ sourcePort, port, payload: Buffer.alloc(words * 4 - 8 + payload.length) });
  frame[23] = 6;
  frame[34 + 12] = words << 4;
  frame[34 + 13] = flags;
  payload.copy(frame, 34 + words * 4);
  return frame;
}

function withOptions(frame: Buffer, words: number): Buffer {
  const out = Buffer.concat([frame.subarray(0, 34), Buffer.alloc(words * 4, 1), frame.subarray(34)]);
  out[14] = 0x45 + words;
  out.writeUInt16BE((out.readUInt16BE(16) + words * 4) & 0xffff, 16);
  return out;
}

const port = pick(PORTS);
const payload = fc.uint8Array({ maxLength: 120 }).map((bytes) => Buffer.from(bytes));
const plain: fc.Arbitrary<Buffer> = fc.oneof(
  fc
    .tuple(port, port, payload, pick(HOSTS), pick(HOSTS), pick(MACS))
    .map(([sourcePort, to, body, source, target, mac]) =>
      udpFrame({ sourcePort, port: to, payload: body, source, target, targetMac: mac }),
    ),
  fc
    .tuple(port, port, payload, pick(HOSTS6), pick(HOSTS6))
    .map(([sourcePort, to, body, source, target]) =>
      udpFrame({ sourcePort, port: to, payload: body, source, target }),
    ),
  fc
    .tuple(port, port, fc.nat({ max: 63 }), fc.integer({ min: 5, max: 15 }), payload)
    .map(([from, to, flags, words, body]) => tcpFrame(from, to, flags, words, body)),
  fc.tuple(fc.nat({ max: 9 }), pick([4, 6] as const)).map(([n, version]) => echoFrame(n, version)),
  fc.constant(arpFrame()),
);
const bent: fc.Arbitrary<Buffer> = fc.oneof(
  { weight: 4, arbitrary: plain },
  fc.tuple(plain, fc.integer({ min: 1, max: 10 })).map(([frame, words]) => withOptions(frame, words)),
  fc.tuple(plain, fc.nat({ max: 0x3fff })).map(([frame, field]) => {
    frame.writeUInt16BE(field, 20); // fragment offset and flags, where it is IPv4
    return frame;
  }),
  fc.tuple(plain, pick([5, 6, 4095])).map(([frame, id]) => vlanTagged(frame, id)),
  fc.tuple(plain, fc.nat({ max: 40 }), fc.nat({ max: 255 })).map(([frame, at, byte]) => {
    frame[at] = byte;
    return frame;
  }),
  fc.uint8Array({ minLength: 0, maxLength: 80 }).map((bytes) => Buffer.from(bytes)),
);

/** A packet: its kept bytes, and its length, which may be more. */
export const packets: fc.Arbitrary<{ readonly bytes: Buffer; readonly length: number }> = fc
  .tuple(bent, fc.option(fc.nat({ max: 100 }), { freq: 3 }))
  .map(([frame, cut]) => ({
    bytes: cut === null ? frame : frame.subarray(0, Math.min(cut, frame.length)),
    length: frame.length,
  }));
