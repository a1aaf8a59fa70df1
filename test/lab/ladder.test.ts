/**
 * The ladder to its end: what happens to each packet of known traffic, against what the reading programs themselves say
 * and what the kernel counts. One trace of everything; ports tell the scenarios apart. RXSTAMP_KERNEL names another
 * kernel.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fragments } from '../../lab/fragments.js';
import { ADDRESSES, arpFrame, echoFrame, sequencePayload, udpFrame, vlanTagged } from '../../lab/frames.js';
import { Guest } from '../../lab/guest.js';
import type { Running } from '../../lab/running.js';
import { TcpPeer } from '../../lab/tcp-peer.js';
import { STAGE_NAMES } from '../../src/stages.js';
import { compile, noCompiler } from '../support/compile.js';
import { type PacketLine, type TraceLines, readTrace } from './ndjson.js';

const KERNEL = process.env['RXSTAMP_KERNEL'] ?? '6.12';
const MIB = 1024 * 1024;
const SEGMENT = 1460;
/** Longer than any reader lives that only holds its sockets. */
const HOLD_MS = 60_000;
/** Bytes that wait in the TCP socket that is closed with them. */
const UNREAD = 20 * SEGMENT;

const PORT = {
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

/** A line that the reader printed about one datagram. */
interface Told {
  readonly tid: number;
  readonly name: string;
  readonly sequence: number;
  readonly bytes: number;
}

const told = (stdout: string): Told[] =>
  [...stdout.matchAll(/^(\d+) (\S+) (-?\d+) (\d+)$/gm)].map(([, tid, name, sequence, bytes]) => ({
    tid: Number(tid),
    name: name as string,
    sequence: Number(sequence),
    bytes: Number(bytes),
  }));

/** What the reader printed about a connection. */
const total = (stdout: string): { tid: number; bytes: number } => {
  const match = /^(\d+) \S+ total (\d+) \d+$/m.exec(stdout);
  return { tid: Number(match?.[1]), bytes: Number(match?.[2]) };
};

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

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

/** The packets of a port with the sequence number that each had: flows keep their order. */
function numbered(packets: readonly PacketLine[], flows: number): Map<number, PacketLine> {
  const next = new Map<number, number>();
  return new Map(
    packets.map((packet) => {
      const flow = (packet.flow.sourcePort as number) - 2000;
      const turn = next.get(flow) ?? 0;
      next.set(flow, turn + 1);
      return [turn * flows + flow, packet];
    }),
  );
}

describe.skipIf(noCompiler !== undefined)(
  `the way to the reader on ${KERNEL}${noCompiler === undefined ? '' : ` (${noCompiler})`}`,
  () => {
    const guest = new Guest({ kernel: KERNEL, nic: 'igb,queues=2', cpus: 2, modules: ['8021q'] });
    const reader = compile('test/support/reader.c', ['-pthread']);
    const said = new Map<keyof typeof PORT, string>();
    const pids = new Map<keyof typeof PORT, number>();
    let code: number;
    let trace: TraceLines;
    let drops = 0;
    const sentTcp = new Map<keyof typeof PORT, number>();

    /** Where tasks are preempted inside programs (7), the kernel skips some of them, and counts it. */
    const missed = (): number =>
      KERNEL === '7'
        ? trace.losses.reduce((sum, { cause, count }) => sum + (cause === 'missed' ? count : 0), 0)
        : 0;

    const at = (name: keyof typeof PORT): PacketLine[] =>
      trace.packets.filter((packet) => packet.flow.destinationPort === PORT[name]);

    async function startReader(name: keyof typeof PORT, mode: string, ...rest: number[]): Promise<Running> {
      const running = guest.start([reader, mode, String(PORT[name]), ...rest.map(String)]);
      for await (const line of running.lines()) if (line === 'ready') break;
      const { stdout } = await guest.run(['pgrep', '-f', `reader.* ${PORT[name]}`]);
      pids.set(name, Number(stdout.trim().split('\n')[0]));
      return running;
    }

    async function readDatagrams(
      name: keyof typeof PORT,
      mode: string,
      rest: number[],
      what: Buffer[],
    ): Promise<void> {
      const running = await startReader(name, mode, ...rest);
      await guest.injector.send(what, { burst: 4, gapUs: 3000 });
      said.set(name, (await running.wait()).stdout);
    }

    async function readStream(
      name: keyof typeof PORT,
      version: 4 | 6,
      bytes: number,
      use: (peer: TcpPeer) => Promise<void>,
    ): Promise<void> {
      const running = await startReader(name, 'tcp', 32_768, bytes);
      const peer = new TcpPeer(guest.injector, {
        port: PORT[name],
        sourcePort: 3000,
        version,
        sequence: 2 ** 32 - 9000,
      });
      await peer.connect();
      await use(peer);
      said.set(name, (await running.wait()).stdout);
      sentTcp.set(name, peer.sent);
    }

    /** Ends a reader that holds its sockets. */
    async function end(running: Running): Promise<void> {
      running.kill('SIGTERM');
      await running.wait();
    }

    async function leaveUnread(name: keyof typeof PORT, mode: string): Promise<void> {
      const running = await startReader(name, mode, HOLD_MS);
      const peer = new TcpPeer(guest.injector, { port: PORT[name], sourcePort: 3000 });
      await peer.connect();
      await peer.write(UNREAD, SEGMENT, 4);
      await peer.settled();
      await end(running);
    }

    async function datagramScenarios(): Promise<void> {
      await readDatagrams(
        'threads',
        'udp',
        [4, 1000],
        datagrams({
          port: PORT.threads,
          count: 1000,
          flows: 16,
          version: 'both',
          size: (index) => 20 + (index % 700),
        }),
      );
      const running = guest.start([
        reader,
        'connected',
        String(PORT.connected),
        '::ffff:10.77.0.2',
        '2000',
        '50',
      ]);
      for await (const line of running.lines()) if (line === 'ready') break;
      await guest.injector.send(datagrams({ port: PORT.connected, count: 50 }), { gapUs: 3000 });
      said.set('connected', (await running.wait()).stdout);
      await readDatagrams('peek', 'peek', [50], datagrams({ port: PORT.peek, count: 50 }));
      await guest.injector.send(datagrams({ port: PORT.nobody, count: 20, version: 'both' }), {
        gapUs: 3000,
      });
      // Short: longer ones are checked only when they are read.
      const damaged = datagrams({ port: PORT.checksum, count: 20, size: () => 40 });
      for (const frame of damaged) frame[frame.length - 1] = (frame[frame.length - 1] as number) ^ 0xff;
      const holder = await startReader('checksum', 'hold', HOLD_MS, 0);
      await guest.injector.send(damaged, { gapUs: 3000 });
      await end(holder);
      const parts = datagrams({ port: PORT.fragments, count: 20, version: 'both', size: () => 3000 });
      const inParts = parts.flatMap((frame, index) => fragments(frame, 500 + index, 1000));
      await readDatagrams('fragments', 'udp', [1, 20], inParts);
      await guest.run([
        'sh',
        '-c',
        'ip link add link eth0 name eth0.5 type vlan id 5 && ip link set eth0.5 up',
      ]);
      await readDatagrams(
        'vlan',
        'udp',
        [1, 20],
        datagrams({ port: PORT.vlan, count: 20 }).map((frame) => vlanTagged(frame, 5)),
      );
    }

    /** In by eth0 and out by it again, to a neighbour that is not there. */
    async function forwardScenario(): Promise<void> {
      const far = '10.77.0.9';
      const neighbour = `ip neigh replace ${far} lladdr 52:54:00:77:00:09 dev eth0 nud permanent`;
      await guest.run(['sh', '-c', `${neighbour} && echo 1 > /proc/sys/net/ipv4/ip_forward`]);
      const frames = Array.from({ length: 20 }, (_, index) =>
        udpFrame({ sourcePort: 2000, port: PORT.forwarded, payload: sequencePayload(index), target: far }),
      );
      await guest.injector.send(frames, { gapUs: 3000 });
    }

    async function unreadScenarios(): Promise<void> {
      const full = await startReader('full', 'hold', HOLD_MS, 4608);
      await guest.injector.send(datagrams({ port: PORT.full, count: 60, version: 6, size: () => 1000 }), {
        gapUs: 3000,
      });
      await pause(300);
      const { stdout } = await guest.run(['cat', '/proc/net/udp6']);
      const hex = PORT.full.toString(16).toUpperCase();
      drops = Number(new RegExp(`:${hex} .* (\\d+)\\s*$`, 'm').exec(stdout)?.[1]);
      await pause(1500);
      await end(full);
      const closing = await startReader('closing', 'hold', HOLD_MS, 0);
      await guest.injector.send(datagrams({ port: PORT.closing, count: 20 }), { gapUs: 3000 });
      await end(closing);
      const unread = await startReader('unread', 'hold', HOLD_MS, 0);
      await guest.injector.send(datagrams({ port: PORT.unread, count: 20 }), { gapUs: 3000 });
      await pause(2000);
      await end(unread);
    }

    async function streamScenarios(): Promise<void> {
      await readStream('tcp4', 4, MIB, async (peer) => {
        await peer.write(MIB, SEGMENT, 16);
        await peer.settled();
        await peer.finish();
      });
      await readStream('tcp6', 6, MIB / 4, async (peer) => {
        await peer.write(MIB / 4, SEGMENT - 20, 16);
        await peer.settled();
        await peer.finish();
      });
      await readStream('disorder', 4, 6000, async (peer) => {
        const first = peer.next;
        const piece = (index: number): Buffer => peer.segment(first + index * 1000, 1000);
        for (const index of [0, 2, 1, 1, 4, 5, 3]) {
          await peer.send([piece(index)]);
          await pause(20);
        }
        peer.advance(6000);
        await peer.settled();
      });
      await leaveUnread('tcpHeld', 'tcphold');
      await leaveUnread('unaccepted', 'unaccepted');
      const refused = new TcpPeer(guest.injector, { port: PORT.tcpNobody, sourcePort: 3000 });
      await refused.connect().catch(() => {});
    }

    beforeAll(() => guest.boot());
    beforeAll(async () => {
      const words = 'node dist/src/cli/main.js trace eth0 --format ndjson --until drop';
      const running = guest.start(words.split(' '));
      let began = false;
      for await (const line of running.lines()) {
        began = line.startsWith('{"type":"meta"');
        if (began) break;
      }
      if (!began) throw new Error(`the trace did not begin: ${(await running.wait()).stderr}`);
      const from = performance.now();
      await datagramScenarios();
      await forwardScenario();
      await unreadScenarios();
      await guest.injector.send([arpFrame(), echoFrame(1, 4), echoFrame(2, 6)], { gapUs: 5000 });
      await streamScenarios();
      await pause(500);
      running.kill('SIGINT');
      const ended = await running.wait();
      process.stderr.write(`ladder on ${KERNEL}: ${Math.round((performance.now() - from) / 1000)} s\n`);
      code = ended.code;
      trace = readTrace(ended.stdout);
    }, 240_000);
    afterAll(() => guest.close());

    it('loses nothing, and every packet has an end', () => {
      const { losses, summary } = trace;
      if (missed() === 0)
        expect({ code, lost: summary.lost, losses }).toEqual({ code: 0, lost: 0, losses: [] });
      else expect({ code, lost: summary.lost }).toEqual({ code: 3, lost: missed() });
      const open = trace.packets.filter((packet) => packet.fate === 'open');
      // 5.10 frees the segment that came twice without a word.
      const silent = KERNEL === '5.10' ? [PORT.disorder] : [];
      expect(open.map(({ flow }) => flow.destinationPort)).toEqual(silent);
    });

    it('stamps the whole ladder', () => {
      const missing = trace.meta.ways.filter((way) => way.hook === undefined).map((way) => way.stage);
      expect(missing.filter((stage) => stage !== 'hw')).toEqual(KERNEL === '5.10' ? ['poll'] : []);
    });

    it('has the stages of every packet in ladder order', () => {
      const wrong = trace.packets.filter((packet) => {
        const times = STAGE_NAMES.slice(1).map((stage) => packet.stages[stage]);
        const there = times.filter((time) => time !== undefined);
        return there.some((time, index) => index > 0 && time < (there[index - 1] as number));
      });
      expect(wrong).toEqual([]);
    });

    it('has steps that add up to the last stamp minus the first, exactly', () => {
      const wrong = trace.packets.filter(({ stages, deltas, total: whole }) => {
        const times = STAGE_NAMES.flatMap((stage) => stages[stage] ?? []);
        const sum = Object.values(deltas).reduce((so, delta) => so + delta, 0);
        return whole !== (times.at(-1) ?? 0) - (times[0] ?? 0) || sum !== whole;
      });
      expect(wrong).toEqual([]);
    });

    it('names the packet that each merged one went into, once, on the line that comes later', () => {
      const byNumber = new Map(trace.packets.map((packet) => [packet.number, packet]));
      const pairs = trace.packets.flatMap(({ number, mergedInto, mergedFrom = [] }): [number, number][] => [
        ...(typeof mergedInto === 'number' ? [[number, mergedInto] as [number, number]] : []),
        ...mergedFrom.map((part): [number, number] => [part, number]),
      ]);
      const merged = trace.packets.filter((packet) => packet.fate === 'merged');
      expect(pairs.map(([part]) => part).sort((a, b) => a - b)).toEqual(
        merged.map((packet) => packet.number),
      );
      const ends = (packet: PacketLine | undefined): unknown => [
        packet?.flow.source,
        packet?.flow.destination,
      ];
      const strangers = pairs.filter(
        ([part, whole]) => String(ends(byNumber.get(part))) !== String(ends(byNumber.get(whole))),
      );
      expect(strangers).toEqual([]);
      expect(merged.length).toBeGreaterThanOrEqual(60);
    });

    it.each([
      ['threads', 16, 1000],
      ['connected', 1, 50],
      ['peek', 1, 50],
      ['vlan', 1, 20],
    ] as const)('names the thread that read each datagram: %s', (name, flows, count) => {
      const seen = numbered(at(name), flows);
      const programs = told(said.get(name) ?? '');
      expect(programs.length).toBe(count);
      expect(seen.size).toBe(count);
      const wrong = programs.filter(({ sequence, tid, name: thread, bytes }) => {
        const { fate, reader: by } = seen.get(sequence) as PacketLine;
        return !(fate === 'read' && by?.tid === tid && by.name === thread && by.bytes === bytes);
      });
      expect(wrong.length).toBeLessThanOrEqual(missed());
      if (missed() > 0) return;
      if (pids.has(name))
        expect(new Set(at(name).map((packet) => packet.reader?.pid))).toEqual(new Set([pids.get(name)]));
      const stages = ['driver', 'stack', 'ip', 'transport', 'socket', 'read'] as const;
      expect(at(name).filter((packet) => stages.some((stage) => packet.stages[stage] === undefined))).toEqual(
        [],
      );
    });

    it('says whom each datagram woke: one of its own readers', () => {
      const tids = new Set(told(said.get('threads') ?? '').map(({ tid }) => tid));
      const woken = at('threads').filter((packet) => packet.woken !== undefined);
      expect(tids.size).toBe(4);
      if (KERNEL === '5.10') expect(woken).toEqual([]);
      else expect(woken.length).toBeGreaterThan(20);
      expect(woken.filter((packet) => !tids.has(packet.woken!.tid))).toEqual([]);
    });

    it('gives the kernel’s reason for what it dropped', () => {
      const reasons = (name: keyof typeof PORT): unknown =>
        at(name).map((packet) => [packet.fate, packet.dropReason]);
      const none = KERNEL === '5.10';
      expect(reasons('nobody')).toEqual(
        Array.from({ length: 20 }, () => ['dropped', none ? null : 'NO_SOCKET']),
      );
      expect(reasons('checksum')).toEqual(
        Array.from({ length: 20 }, () => ['dropped', none ? null : 'UDP_CSUM']),
      );
      expect(at('tcpNobody').map((packet) => packet.fate)).toEqual(['dropped']);
    });

    it('counts what did not fit a socket’s buffer as the kernel does, and leaves the rest there', () => {
      const dropped = at('full').filter((packet) => packet.fate === 'dropped');
      expect(drops).toBeGreaterThan(10);
      expect(dropped.length).toBe(drops);
      if (KERNEL !== '5.10')
        expect(new Set(dropped.map((packet) => packet.dropReason))).toEqual(new Set(['SOCKET_RCVBUFF']));
      const rest = at('full').filter((packet) => packet.fate !== 'dropped');
      expect(rest.map((packet) => packet.fate)).toEqual(Array.from({ length: 60 - drops }, () => 'queued'));
      expect(dropped.filter((packet) => packet.stages.socket !== undefined)).toEqual([]);
    });

    it('tells datagrams that lay in a socket that was closed', () => {
      expect(at('closing').map((packet) => packet.fate)).toEqual(Array.from({ length: 20 }, () => 'closed'));
    });

    it('leaves in their socket those that nobody read in time', () => {
      expect(at('unread').map((packet) => packet.fate)).toEqual(Array.from({ length: 20 }, () => 'queued'));
    });

    it('sees packets that are sent on', () => {
      expect(at('forwarded').map((packet) => packet.fate)).toEqual(
        Array.from({ length: 20 }, () => 'forwarded'),
      );
    });

    it('gives ARP and echo requests to the kernel', () => {
      const own = trace.packets.filter(
        ({ flow }) => flow.family === 'ARP' || [1, 58].includes(flow.protocol ?? 0),
      );
      expect(own.length).toBeGreaterThanOrEqual(3);
      // Kernels until 6.1 free an IPv6 echo request as if it were dropped, without a reason.
      const old = ['5.10', '6.1'].includes(KERNEL);
      const asDropped = ({ flow, fate, dropReason }: PacketLine): boolean =>
        old &&
        flow.protocol === 58 &&
        fate === 'dropped' &&
        [null, 'NOT_SPECIFIED'].includes(dropReason ?? null);
      expect(own.filter((packet) => packet.fate !== 'kernel' && !asDropped(packet))).toEqual([]);
    });

    it('puts fragments into the one that carries their datagram to its reader', () => {
      const parts = trace.packets.filter(
        ({ flow, number }) => flow.fragment === true || at('fragments').some((one) => one.number === number),
      );
      expect(parts.length).toBe(20 * 4);
      const carriers = parts.filter((packet) => packet.fate === 'read');
      expect(carriers.length).toBe(20);
      expect(carriers.map((packet) => packet.reader?.bytes)).toEqual(Array.from({ length: 20 }, () => 3000));
      expect(parts.filter((packet) => packet.fate === 'merged').length).toBe(60);
      const numbers = new Set(carriers.map((packet) => packet.number));
      for (const packet of parts) expect(packet.stages.read).toBeDefined();
      for (const { mergedFrom = [], number } of carriers) {
        expect(mergedFrom.length).toBe(3);
        expect(numbers.has(number)).toBe(true);
      }
    });

    it.each(['tcp4', 'tcp6'] as const)(
      'follows every segment under GRO to the read of its last byte: %s',
      (name) => {
        const { tid, bytes } = total(said.get(name) ?? '');
        const packets = at(name);
        expect(packets.length).toBe(sentTcp.get(name));
        const data = packets.filter((packet) => packet.stages.read !== undefined);
        expect(data.reduce((sum, packet) => sum + (packet.reader?.bytes ?? 0), 0)).toBe(bytes);
        expect(new Set(data.map((packet) => packet.reader?.tid))).toEqual(new Set([tid]));
        const fates = new Set(data.map((packet) => packet.fate));
        expect([...fates].filter((fate) => fate !== 'read' && fate !== 'merged')).toEqual([]);
        expect(data.filter((packet) => packet.fate === 'merged').length).toBeGreaterThan(10);
        expect(data.filter((packet) => packet.stages.socket === undefined)).toEqual([]);
        const rest = packets.filter((packet) => packet.stages.read === undefined);
        expect(rest.map((packet) => packet.fate)).toEqual(rest.map(() => 'kernel'));
      },
    );

    it('follows TCP segments that come out of order, and twice', () => {
      const data = at('disorder').filter((packet) => packet.length > 500);
      expect(data.length).toBe(7);
      const read = data.filter((packet) => packet.reader !== undefined);
      expect(read.reduce((sum, packet) => sum + (packet.reader?.bytes ?? 0), 0)).toBe(6000);
      const twice = data.filter((packet) => packet.reader === undefined);
      expect(twice.length).toBe(1);
      if (KERNEL !== '5.10') {
        expect(twice[0]?.fate).toBe('dropped');
        expect(twice[0]?.dropReason).toMatch(/^TCP_(OLD|INVALID)_/);
      }
    });

    it.each(['tcpHeld', 'unaccepted'] as const)(
      'tells segments that lay in a socket that was closed: %s',
      (name) => {
        const data = at(name).filter((packet) => packet.length > 500);
        expect(data.length).toBe(20);
        const fates = data.map((packet) => packet.fate);
        expect(fates.filter((fate) => fate !== 'closed' && fate !== 'merged')).toEqual([]);
      },
    );
  },
);
