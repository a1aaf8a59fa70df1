/** The traffic of the ladder's test: what is sent, and the programs in the guest that read it and say what they read. */
import { fragments } from '../../lab/fragments.js';
import { ADDRESSES, arpFrame, echoFrame, sequencePayload, udpFrame, vlanTagged } from '../../lab/frames.js';
import type { Guest } from '../../lab/guest.js';
import type { Running } from '../../lab/running.js';
import { TcpPeer } from '../../lab/tcp-peer.js';
import { everyCpuHasRun, sendCounted, settle } from '../../lab/trace-in-guest.js';

const MIB = 1024 * 1024;
const SEGMENT = 1460;
/**
 * What the trace waits for a packet's end (--wait). Longer than the host keeps a reader from running: one that reads or
 * closes later than this leaves its packets `queued`.
 */
export const WAIT = '8s';
/** Longer than any reader lives that only holds its sockets. */
const HOLD_MS = 60_000;
/** Bytes that wait in the TCP socket that is closed with them. */
const UNREAD = 20 * SEGMENT;

/** The port of each scenario. */
export const PORT = {
  threads: 9001,
  connected: 9002,
  peek: 9003,
  nobody: 9004,
  checksum: 9005,
  full: 9006,
  closing: 9016,
  unread: 9007,
  vlan: 9008,
  fragments: 9009,
  tcp4: 9010,
  tcp6: 9011,
  disorder: 9012,
  tcpHeld: 9013,
  unaccepted: 9014,
  tcpNobody: 9015,
  forwarded: 9017,
} as const;

/** Name of a scenario. */
export type PortName = keyof typeof PORT;

/** A line that the reader printed about one datagram. */
export interface Told {
  readonly tid: number;
  readonly name: string;
  readonly sequence: number;
  readonly bytes: number;
}

/** All such lines. */
export const told = (stdout: string): Told[] =>
  [...stdout.matchAll(/^(\d+) (\S+) (-?\d+) (\d+)$/gm)].map(([, tid, name, sequence, bytes]) => ({
    tid: Number(tid),
    name: name as string,
    sequence: Number(sequence),
    bytes: Number(bytes),
  }));

/** What the reader printed about a connection. */
export const total = (stdout: string): { tid: number; bytes: number } => {
  const match = /^(\d+) \S+ total (\d+) \d+$/m.exec(stdout);
  return { tid: Number(match?.[1]), bytes: Number(match?.[2]) };
};

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Of the flows that four SO_REUSEPORT sockets share by a keyed hash: so many that none goes without, 4 × (3/4)^64. */
export const READER_FLOWS = 64;

interface Datagrams {
  readonly port: number;
  readonly count: number;
  readonly flows?: number;
  readonly version?: 4 | 6 | 'both';
  readonly size?: (index: number) => number;
}

/** Datagram `index` of flow `index % flows`; its sequence number is its index. */
function datagrams({ port, count, flows = 1, version = 4, size = () => 100 }: Datagrams): Buffer[] {
  return Array.from({ length: count }, (_, index) => {
    const six = version === 6 || (version === 'both' && index % 2 === 1);
    return udpFrame({
      sourcePort: 2000 + (index % flows),
      port,
      payload: sequencePayload(index, size(index)),
      target: six ? ADDRESSES.guest6 : ADDRESSES.guest4,
    });
  });
}

/** All scenarios, one after the other. */
export class LadderTraffic {
  /** What each reader printed. */
  readonly said = new Map<PortName, string>();
  readonly pids = new Map<PortName, number>();
  /** Frames of each TCP connection. */
  readonly sentTcp = new Map<PortName, number>();
  /** Datagrams that did not fit the buffer of `full`, as the kernel counts them. */
  drops = 0;
  private readonly guest: Guest;
  private readonly trace: Running;
  private readonly reader: string;

  /**
   * @param trace the running trace, whose lines say what it is through with
   * @param reader path of the compiled test/support/reader.c
   */
  constructor(guest: Guest, trace: Running, reader: string) {
    this.guest = guest;
    this.trace = trace;
    this.reader = reader;
  }

  /** Sends all of it. */
  async run(): Promise<void> {
    await this.datagramScenarios();
    await this.forwardScenario();
    await this.unreadScenarios();
    await this.guest.injector.send([arpFrame(), echoFrame(1, 4), echoFrame(2, 6)], { gapUs: 5000 });
    await this.streamScenarios();
    await everyCpuHasRun(this.guest);
  }

  /** Sends frames, which are where they go when this returns: a reader that ends then has them. */
  private async deliver(frames: Buffer[]): Promise<void> {
    await sendCounted(this.guest, frames, { gapUs: 3000 });
  }

  /** Waits until the trace has given these packets out: nothing that comes later changes what it says of them. */
  private async given(name: PortName, count: number): Promise<void> {
    const own = `"destinationPort":${PORT[name]}`;
    await settle(
      async () => this.trace.soFar.stdout.split(own).length - 1,
      (lines) => lines >= count,
    );
  }

  private async startReader(name: PortName, mode: string, ...rest: number[]): Promise<Running> {
    const running = this.guest.start([this.reader, mode, String(PORT[name]), ...rest.map(String)]);
    for await (const line of running.lines()) if (line === 'ready') break;
    const { stdout } = await this.guest.run(['pgrep', '-f', `reader.* ${PORT[name]}`]);
    this.pids.set(name, Number(stdout.trim().split('\n')[0]));
    return running;
  }

  private async readDatagrams(name: PortName, mode: string, rest: number[], what: Buffer[]): Promise<void> {
    const running = await this.startReader(name, mode, ...rest);
    await this.guest.injector.send(what, { burst: 4, gapUs: 3000 });
    this.said.set(name, (await running.wait()).stdout);
  }

  private async readStream(
    name: PortName,
    version: 4 | 6,
    bytes: number,
    use: (peer: TcpPeer) => Promise<void>,
  ): Promise<void> {
    const running = await this.startReader(name, 'tcp', 32_768, bytes);
    const peer = new TcpPeer(this.guest.injector, {
      port: PORT[name],
      sourcePort: 3000,
      version,
      sequence: 2 ** 32 - 9000,
    });
    await peer.connect();
    await use(peer);
    this.said.set(name, (await running.wait()).stdout);
    this.sentTcp.set(name, peer.sent);
  }

  /** Ends a reader that holds its sockets. */
  private async end(running: Running): Promise<void> {
    running.kill('SIGTERM');
    await running.wait();
  }

  private async leaveUnread(name: PortName, mode: string): Promise<void> {
    const running = await this.startReader(name, mode, HOLD_MS);
    const peer = new TcpPeer(this.guest.injector, { port: PORT[name], sourcePort: 3000 });
    await peer.connect();
    await peer.write(UNREAD, SEGMENT, 4);
    await peer.settled();
    await this.end(running);
  }

  private async datagramScenarios(): Promise<void> {
    await this.readDatagrams(
      'threads',
      'udp',
      [4, 1000],
      datagrams({
        port: PORT.threads,
        count: 1000,
        flows: READER_FLOWS,
        version: 'both',
        size: (index) => 20 + (index % 700),
      }),
    );
    const running = this.guest.start([
      this.reader,
      'connected',
      String(PORT.connected),
      '::ffff:10.77.0.2',
      '2000',
      '50',
    ]);
    for await (const line of running.lines()) if (line === 'ready') break;
    await this.guest.injector.send(datagrams({ port: PORT.connected, count: 50 }), { gapUs: 3000 });
    this.said.set('connected', (await running.wait()).stdout);
    await this.readDatagrams('peek', 'peek', [50], datagrams({ port: PORT.peek, count: 50 }));
    await this.guest.injector.send(datagrams({ port: PORT.nobody, count: 20, version: 'both' }), {
      gapUs: 3000,
    });
    // Short: longer ones are checked only when they are read.
    const damaged = datagrams({ port: PORT.checksum, count: 20, size: () => 40 });
    for (const frame of damaged) frame[frame.length - 1] = (frame[frame.length - 1] as number) ^ 0xff;
    const holder = await this.startReader('checksum', 'hold', HOLD_MS, 0);
    await this.deliver(damaged);
    await this.end(holder);
    const parts = datagrams({ port: PORT.fragments, count: 20, version: 'both', size: () => 3000 });
    const inParts = parts.flatMap((frame, index) => fragments(frame, 500 + index, 1000));
    await this.readDatagrams('fragments', 'udp', [1, 20], inParts);
    await this.guest.run([
      'sh',
      '-c',
      'ip link add link eth0 name eth0.5 type vlan id 5 && ip link set eth0.5 up',
    ]);
    await this.readDatagrams(
      'vlan',
      'udp',
      [1, 20],
      datagrams({ port: PORT.vlan, count: 20 }).map((frame) => vlanTagged(frame, 5)),
    );
  }

  /** In by eth0 and out by it again, to a neighbour that is not there. */
  private async forwardScenario(): Promise<void> {
    const far = '10.77.0.9';
    const neighbour = `ip neigh replace ${far} lladdr 52:54:00:77:00:09 dev eth0 nud permanent`;
    await this.guest.run(['sh', '-c', `${neighbour} && echo 1 > /proc/sys/net/ipv4/ip_forward`]);
    const frames = Array.from({ length: 20 }, (_, index) =>
      udpFrame({ sourcePort: 2000, port: PORT.forwarded, payload: sequencePayload(index), target: far }),
    );
    await this.deliver(frames);
  }

  private async unreadScenarios(): Promise<void> {
    const full = await this.startReader('full', 'hold', HOLD_MS, 4608);
    await this.deliver(datagrams({ port: PORT.full, count: 60, version: 6, size: () => 1000 }));
    const { stdout } = await this.guest.run(['cat', '/proc/net/udp6']);
    const hex = PORT.full.toString(16).toUpperCase();
    this.drops = Number(new RegExp(`:${hex} .* (\\d+)\\s*$`, 'm').exec(stdout)?.[1]);
    const unread = await this.startReader('unread', 'hold', HOLD_MS, 0);
    await this.deliver(datagrams({ port: PORT.unread, count: 20 }));
    await this.given('full', 60);
    await this.given('unread', 20);
    await this.end(full);
    await this.end(unread);
    const closing = await this.startReader('closing', 'hold', HOLD_MS, 0);
    await this.deliver(datagrams({ port: PORT.closing, count: 20 }));
    await this.end(closing);
  }

  private async streamScenarios(): Promise<void> {
    await this.readStream('tcp4', 4, MIB, async (peer) => {
      await peer.write(MIB, SEGMENT, 16);
      await peer.settled();
      await peer.finish();
    });
    await this.readStream('tcp6', 6, MIB / 4, async (peer) => {
      await peer.write(MIB / 4, SEGMENT - 20, 16);
      await peer.settled();
      await peer.finish();
    });
    await this.readStream('disorder', 4, 6000, async (peer) => {
      const first = peer.next;
      const piece = (index: number): Buffer => peer.segment(first + index * 1000, 1000);
      for (const index of [0, 2, 1, 1, 4, 5, 3]) {
        await peer.send([piece(index)]);
        await pause(20);
      }
      peer.advance(6000);
      await peer.settled();
    });
    await this.leaveUnread('tcpHeld', 'tcphold');
    await this.leaveUnread('unaccepted', 'unaccepted');
    const refused = new TcpPeer(this.guest.injector, { port: PORT.tcpNobody, sourcePort: 3000 });
    await refused.connect().catch(() => {});
  }
}
