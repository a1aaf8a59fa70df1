/**
 * Packet sockets (packet(7)), one per CPU, with a receive ring or with the NIC's stamps (SO_TIMESTAMPING): a fanout group in which a packet goes to the socket of the
 * CPU that handles it, so that the socket tells the CPU. Incoming packets only; filtered in the kernel.
 */
import { closeSync } from 'node:fs';
import { constants } from 'node:os';
import koffi from 'koffi';
import { RxError } from '../../base/errors.js';
import { type Mapping, errnoText, lastErrno, mapShared } from '../libc.js';
import { BLOCK_BYTES, FRAMES_PER_BLOCK, FRAME_BYTES, FrameRing, type PacketFrame } from './frames.js';
import { BATCH, MessageBatch } from './messages.js';

const libc = koffi.load('libc.so.6');
const socket = libc.func('int socket(int domain, int type, int protocol)');
const bind = libc.func('int bind(int fd, void *address, uint32_t length)');
const setOption = libc.func('int setsockopt(int fd, int level, int name, void *value, uint32_t length)');
const recvMessages = libc.func(
  'int recvmmsg(int fd, void *messages, unsigned int count, int flags, void *timeout)',
);
const getOption = libc.func('int getsockopt(int fd, int level, int name, void *value, void *length)');

const AF_PACKET = 17;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
const SOL_SOCKET = 1;
const SO_ATTACH_FILTER = 26;
const SO_RCVBUFFORCE = 33;
const SO_TIMESTAMPING = 37;
/** SOF_TIMESTAMPING_RX_HARDWARE, _RX_SOFTWARE, _SOFTWARE, _RAW_HARDWARE. */
const BOTH_STAMPS = 4 | 8 | 16 | 64;
const MSG_DONTWAIT = 0x40;
const SOL_PACKET = 263;
const PACKET = { rxRing: 5, statistics: 6, auxdata: 8, version: 10, fanout: 18 } as const;
const TPACKET_V2 = 1;
const FANOUT_CPU = 2;
/** PACKET_FANOUT_FLAG_UNIQUEID: the kernel chooses a group number that nobody in this namespace has (4.11). */
const FANOUT_UNIQUE = 0x2000;
/** Members that a group may have unless it says otherwise (struct fanout_args, 5.11). */
const FANOUT_MOST = 256;
/** ETH_P_ALL in network order. */
const EVERY_PROTOCOL = 0x0300;

/** A classic BPF program, `struct sock_filter[]`; each is 8 bytes. */
export type SocketFilter = Uint8Array;

/** `ret #0`: nothing comes in. */
const NOTHING: SocketFilter = Uint8Array.from([6, 0, 0, 0, 0, 0, 0, 0]);

/** What the kernel counted since it was last asked. */
export interface PacketCount {
  /** Packets that the filter let through, dropped ones included. */
  readonly packets: number;
  /** Those that found no room in the ring. */
  readonly dropped: number;
}

function failed(iface: string, doing: string, errno = lastErrno()): RxError {
  const denied = errno === constants.errno.EPERM || errno === constants.errno.EACCES;
  return new RxError(errno === constants.errno.ENOMEM ? 'RXS_NO_MEMORY' : 'RXS_SYS', {
    doing: `${doing} of a packet socket on`,
    subject: iface,
    why: errnoText(errno),
    hint: denied
      ? 'run it with sudo, or grant cap_net_raw to the node binary'
      : errno === constants.errno.ENOMEM
        ? 'use a smaller --buffer'
        : 'does tcpdump work on it? if it does, please report this',
  });
}

/** Gives packets; false keeps one, and those behind it, for the next time. */
type Visit = (frame: PacketFrame) => boolean;

/** One socket: a CPU's packets of one interface. */
class CpuSocket {
  readonly fd: number;
  /** As {@link FrameRing.drain}. */
  readonly drain: (visit: Visit) => number;
  private mapping: Mapping | undefined;
  private readonly iface: string;

  constructor(iface: string, ifindex: number, ringBytes: number, hardware: boolean) {
    this.iface = iface;
    // Protocol 0: it gets nothing before it is bound.
    this.fd = socket(AF_PACKET, SOCK_RAW_CLOEXEC, 0) as number;
    if (this.fd < 0) throw failed(iface, 'opening');
    try {
      this.filter(NOTHING);
      this.drain = hardware ? this.messages(ringBytes) : this.frames(ringBytes);
      this.bind(ifindex);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  private frames(ringBytes: number): (visit: Visit) => number {
    this.set(PACKET.version, 'choosing the layout', Uint32Array.of(TPACKET_V2));
    const blocks = ringBytes / BLOCK_BYTES;
    const layout = Uint32Array.of(BLOCK_BYTES, blocks, FRAME_BYTES, blocks * FRAMES_PER_BLOCK);
    this.set(PACKET.rxRing, 'making the ring', layout);
    this.mapping = mapShared(this.fd, ringBytes, 0, true);
    const ring = new FrameRing(new Uint32Array(this.mapping.buffer));
    return (visit) => ring.drain(visit);
  }

  /** A ring tells one stamp of a packet; control messages tell both. */
  private messages(bufferBytes: number): (visit: Visit) => number {
    this.set(PACKET.auxdata, 'asking for lengths', Uint32Array.of(1));
    this.set(SO_RCVBUFFORCE, 'making the buffer', Uint32Array.of(bufferBytes), SOL_SOCKET);
    this.set(SO_TIMESTAMPING, 'asking for stamps', Uint32Array.of(BOTH_STAMPS), SOL_SOCKET);
    const batch = new MessageBatch((bytes) => koffi.address(bytes));
    let [next, there] = [0, 0];
    return (visit) => {
      let visited = 0;
      for (;;) {
        for (; next < there; next++, visited++) if (!visit(batch.read(next))) return visited;
        batch.clear(there);
        next = 0;
        there = recvMessages(this.fd, batch.headers, BATCH, MSG_DONTWAIT, null) as number;
        if (there <= 0) break;
      }
      there = 0;
      return visited;
    };
  }

  private bind(ifindex: number): void {
    // struct sockaddr_ll: family, protocol, ifindex; the rest is not looked at.
    const address = new DataView(new ArrayBuffer(20));
    address.setUint16(0, AF_PACKET, true);
    address.setUint16(2, EVERY_PROTOCOL, true);
    address.setInt32(4, ifindex, true);
    if ((bind(this.fd, new Uint8Array(address.buffer), 20) as number) < 0)
      throw failed(this.iface, 'binding');
  }

  private set(name: number, doing: string, value: Uint32Array, level = SOL_PACKET): void {
    if ((setOption(this.fd, level, name, value, value.byteLength) as number) < 0)
      throw failed(this.iface, doing);
  }

  /** Joins a fanout group; undefined: a new one. @returns the group's number, which may be 0 */
  join(group: number | undefined, members: number): number {
    const type = FANOUT_CPU | (group === undefined ? FANOUT_UNIQUE : 0);
    const word = ((group ?? 0) | (type << 16)) >>> 0;
    const value = members > FANOUT_MOST ? Uint32Array.of(word, members) : Uint32Array.of(word);
    this.set(PACKET.fanout, 'sharing out by CPU', value);
    const [now, length] = [new Uint32Array(1), Uint32Array.of(4)];
    if ((getOption(this.fd, SOL_PACKET, PACKET.fanout, now, length) as number) < 0)
      throw failed(this.iface, 'reading the group');
    return (now[0] as number) & 0xffff;
  }

  filter(program: SocketFilter): void {
    // struct sock_fprog: a count and, at 8, a pointer.
    const view = new DataView(new ArrayBuffer(16));
    view.setUint16(0, program.length / 8, true);
    view.setBigUint64(8, koffi.address(program), true);
    if ((setOption(this.fd, SOL_SOCKET, SO_ATTACH_FILTER, new Uint8Array(view.buffer), 16) as number) < 0)
      throw failed(this.iface, 'filtering');
  }

  count(): PacketCount {
    const [value, length] = [new Uint32Array(2), Uint32Array.of(8)];
    if ((getOption(this.fd, SOL_PACKET, PACKET.statistics, value, length) as number) < 0)
      throw failed(this.iface, 'reading the counters');
    return { packets: value[0] as number, dropped: value[1] as number };
  }

  close(): void {
    this.mapping?.close();
    closeSync(this.fd);
  }
}

/** Whether this process may open packet sockets; undefined: it may, else why not. */
export function packetSocketRefused(): string | undefined {
  const fd = socket(AF_PACKET, SOCK_RAW_CLOEXEC, 0) as number;
  if (fd < 0) return errnoText(lastErrno());
  closeSync(fd);
  return undefined;
}

/** The packets of one interface, CPU by CPU. */
export class PacketSockets {
  private readonly sockets: CpuSocket[] = [];

  /**
   * Opens the sockets; nothing comes in before {@link start}.
   * @param cpus possible CPUs: who is a group's n-th member gets the packets of CPU n (fanout_demux_cpu)
   * @param ringBytes per CPU, a multiple of 65536
   * @param hardware the NIC's stamps too, if it makes any; the kernel then stamps every packet of the machine for us
   * @throws RxError RXS_SYS, RXS_NO_MEMORY
   */
  constructor(iface: string, ifindex: number, cpus: number, ringBytes: number, hardware: boolean) {
    try {
      let group: number | undefined;
      for (let cpu = 0; cpu < cpus; cpu++) {
        const one = new CpuSocket(iface, ifindex, ringBytes, hardware);
        this.sockets.push(one);
        if (cpus > 1) group = one.join(group, cpus);
      }
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Lets packets in that the filter lets through. @param cpus only those that came by one of them; undefined: all */
  start(filter: SocketFilter, cpus: readonly number[] | undefined): void {
    for (const [cpu, one] of this.sockets.entries())
      if (cpus === undefined || cpus.includes(cpu)) one.filter(filter);
  }

  /** Lets nothing in any more; what a CPU was in the middle of may still come, for some microseconds. */
  stop(): void {
    for (const one of this.sockets) one.filter(NOTHING);
  }

  /** Visits what a CPU's socket holds, as {@link FrameRing.drain}. */
  drain(cpu: number, visit: Visit): number {
    return this.sockets[cpu]?.drain(visit) ?? 0;
  }

  /** What the kernel counted on a CPU since the last call. */
  count(cpu: number): PacketCount {
    return this.sockets[cpu]?.count() ?? { packets: 0, dropped: 0 };
  }

  close(): void {
    for (const one of this.sockets.splice(0)) one.close();
  }
}
