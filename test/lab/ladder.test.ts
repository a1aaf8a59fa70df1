/**
 * The ladder to its end: what happens to each packet of known traffic, against what the reading programs themselves say
 * and what the kernel counts. One trace of everything; ports tell the scenarios apart. RXSTAMP_KERNEL names another
 * kernel.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Guest } from '../../lab/guest.js';
import { UNREACHED } from '../../lab/matrix/cells.js';
import { startTrace } from '../../lab/trace-in-guest.js';
import { STAGE_NAMES } from '../../src/stages.js';
import { compile, noCompiler } from '../support/compile.js';
import { titled } from '../support/titled.js';
import { outOfOrder } from './guest-trace.js';
import { LadderTraffic, PORT, type PortName, READER_FLOWS, WAIT, told, total } from './ladder-traffic.js';
import { type PacketLine, type TraceLines, readTrace } from './ndjson.js';

const KERNEL = process.env['RXSTAMP_KERNEL'] ?? '6.12';

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

describe.skipIf(noCompiler !== undefined)(titled(`the way to the reader on ${KERNEL}`, noCompiler), () => {
  const guest = new Guest({ kernel: KERNEL, nic: 'igb,queues=2', cpus: 2, modules: ['8021q'] });
  let code: number;
  let trace: TraceLines;
  let traffic: LadderTraffic;

  /** Where tasks are preempted inside programs (7), the kernel skips some of them, and counts it. */
  const missed = (): number =>
    KERNEL === '7'
      ? trace.losses.reduce((sum, { cause, count }) => sum + (cause === 'missed' ? count : 0), 0)
      : 0;

  const at = (name: PortName): PacketLine[] =>
    trace.packets.filter((packet) => packet.flow.destinationPort === PORT[name]);

  beforeAll(() => guest.boot());
  beforeAll(async () => {
    const running = await startTrace(guest, ['eth0', '--until', 'drop', '--wait', WAIT]);
    const from = performance.now();
    traffic = new LadderTraffic(guest, running, compile('test/support/reader.c', ['-pthread']));
    await traffic.run();
    running.kill('SIGINT');
    const ended = await running.wait();
    process.stderr.write(`ladder on ${KERNEL}: ${Math.round((performance.now() - from) / 1000)} s\n`);
    code = ended.code;
    trace = readTrace(ended.stdout);
  });
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
    expect(missing.filter((stage) => stage !== 'hw')).toEqual(UNREACHED[KERNEL] ?? []);
  });

  it('has the stages of every packet in ladder order', () => {
    expect(outOfOrder(trace.packets)).toEqual([]);
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
    expect(pairs.map(([part]) => part).sort((a, b) => a - b)).toEqual(merged.map((packet) => packet.number));
    const ends = (packet: PacketLine | undefined): unknown => [packet?.flow.source, packet?.flow.destination];
    const strangers = pairs.filter(
      ([part, whole]) => String(ends(byNumber.get(part))) !== String(ends(byNumber.get(whole))),
    );
    expect(strangers).toEqual([]);
    expect(merged.length).toBeGreaterThanOrEqual(60);
  });

  it.each([
    ['threads', READER_FLOWS, 1000],
    ['connected', 1, 50],
    ['peek', 1, 50],
    ['vlan', 1, 20],
  ] as const)('names the thread that read each datagram: %s', (name, flows, count) => {
    const seen = numbered(at(name), flows);
    const programs = told(traffic.said.get(name) ?? '');
    expect(programs.length).toBe(count);
    expect(seen.size).toBe(count);
    const wrong = programs.filter(({ sequence, tid, name: thread, bytes }) => {
      const { fate, reader: by } = seen.get(sequence) as PacketLine;
      return !(fate === 'read' && by?.tid === tid && by.name === thread && by.bytes === bytes);
    });
    expect(wrong.length).toBeLessThanOrEqual(missed());
    if (missed() > 0) return;
    if (traffic.pids.has(name))
      expect(new Set(at(name).map((packet) => packet.reader?.pid))).toEqual(
        new Set([traffic.pids.get(name)]),
      );
    const stages = ['driver', 'stack', 'ip', 'transport', 'socket', 'read'] as const;
    expect(at(name).filter((packet) => stages.some((stage) => packet.stages[stage] === undefined))).toEqual(
      [],
    );
  });

  it('says whom each datagram woke: one of its own readers', () => {
    const tids = new Set(told(traffic.said.get('threads') ?? '').map(({ tid }) => tid));
    const woken = at('threads').filter((packet) => packet.woken !== undefined);
    expect(tids.size).toBe(4);
    if (KERNEL === '5.10') expect(woken).toEqual([]);
    else expect(woken.length).toBeGreaterThan(20);
    expect(woken.filter((packet) => !tids.has(packet.woken!.tid))).toEqual([]);
  });

  it('gives the kernel’s reason for what it dropped', () => {
    const reasons = (name: PortName): unknown => at(name).map((packet) => [packet.fate, packet.dropReason]);
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
    expect(traffic.drops).toBeGreaterThan(10);
    expect(dropped.length).toBe(traffic.drops);
    if (KERNEL !== '5.10')
      expect(new Set(dropped.map((packet) => packet.dropReason))).toEqual(new Set(['SOCKET_RCVBUFF']));
    const rest = at('full').filter((packet) => packet.fate !== 'dropped');
    expect(rest.map((packet) => packet.fate)).toEqual(
      Array.from({ length: 60 - traffic.drops }, () => 'queued'),
    );
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
    for (const packet of parts) expect(packet.stages.read).toBeDefined();
    // Four fragments of a datagram came one behind the other on their family's queue: a carrier has just its own three.
    const datagramOf = new Map<number, string>();
    for (const family of ['IPv4', 'IPv6']) {
      const mine = parts.filter(({ flow }) => flow.family === family);
      expect(mine.length).toBe(10 * 4);
      for (const [index, { number }] of mine.entries())
        datagramOf.set(number, `${family} ${Math.floor(index / 4)}`);
    }
    const whole = carriers.map(({ number, mergedFrom = [] }) =>
      [number, ...mergedFrom].map((part) => datagramOf.get(part)),
    );
    expect(whole.filter((four) => four.length !== 4 || new Set(four).size !== 1)).toEqual([]);
    expect(new Set(whole.flat())).toEqual(new Set(datagramOf.values()));
  });

  it.each(['tcp4', 'tcp6'] as const)(
    'follows every segment under GRO to the read of its last byte: %s',
    (name) => {
      const { tid, bytes } = total(traffic.said.get(name) ?? '');
      const packets = at(name);
      expect(packets.length).toBe(traffic.sentTcp.get(name));
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
      expect(fates).toContain('closed');
    },
  );
});
