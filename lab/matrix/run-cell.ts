/** Runs a cell: one guest, 1,000 datagrams and one TCP transfer of 1 MiB under `rxstamp trace`, judged. */
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { RxError } from '../../src/base/errors.js';
import { HOOKED_STAGES } from '../../src/stages.js';
import { SINK_PORT, sequencePayload, udpFrame } from '../frames.js';
import type { Guest } from '../guest.js';
import { GUEST_IFACE } from '../guest-setup.js';
import type { Turn } from '../lock.js';
import type { Say } from '../progress.js';
import type { Running } from '../running.js';
import { startSink, startTcpSink } from '../sink.js';
import { TcpPeer } from '../tcp-peer.js';
import { framesReceived, settle, startTrace } from '../trace-in-guest.js';
import { withGuest } from '../with-guest.js';
import { CELL_CPUS, type Cell, UNREACHED } from './cells.js';
import { TCP_PORT, judge } from './judge.js';
import type { CellResult, PacketFacts, TraceFacts, Traffic, WayLine } from './result.js';

const DATAGRAMS = 1000;
const FLOWS = 8;
const FIRST_PORT = 1000;
const TCP_BYTES = 1_048_576;
const TCP_SOURCE = 40_000;
const SEGMENT = 1460;
/** Segments handed over at once. */
const TCP_BURST = 16;
/** What the lab's TCP peer sends. */
const TCP_DATA = Buffer.alloc(TCP_BYTES, 0x61);
/** IPv4 and UDP headers. */
const HEADERS = 28;
/** Longest wait for a receiver, seconds. */
const PATIENCE = 60;

const portOf = (index: number): number => FIRST_PORT + (index % FLOWS);
/** Sizes that tell a datagram's place in its flow. */
const sizeOf = (index: number): number => 20 + index;

function datagrams(from: number, to: number): Buffer[] {
  return Array.from({ length: to - from }, (_, offset) => {
    const index = from + offset;
    return udpFrame({
      sourcePort: portOf(index),
      port: SINK_PORT,
      payload: sequencePayload(index, sizeOf(index)),
    });
  });
}

/** Spaced ones, bursts, and as many at once as fit every NIC's ring. */
async function sendDatagrams(guest: Guest): Promise<void> {
  await guest.injector.send(datagrams(0, 500), { gapUs: 1000 });
  await guest.injector.send(datagrams(500, 800), { burst: 30, gapUs: 20_000 });
  await sleep(50);
  await guest.injector.send(datagrams(800, DATAGRAMS), { burst: 200 });
}

function expectedLengths(): Map<number, number[]> {
  const lengths = new Map<number, number[]>();
  for (let index = 0; index < DATAGRAMS; index++) {
    const port = portOf(index);
    lengths.set(port, [...(lengths.get(port) ?? []), HEADERS + sizeOf(index)]);
  }
  return lengths;
}

/** One connection and all of its bytes; returns how many frames that took. */
async function sendTcp(guest: Guest): Promise<number> {
  const peer = new TcpPeer(guest.injector, { port: TCP_PORT, sourcePort: TCP_SOURCE });
  await peer.connect();
  await peer.write(TCP_BYTES, SEGMENT, TCP_BURST);
  await peer.settled();
  await peer.finish();
  return peer.sent;
}

/** The trace waits so long for a packet to be read: longer than the host keeps a receiver from running. */
const WAIT = '10s';

/** As far as any packet's way is followed. */
const UNTIL = HOOKED_STAGES.at(-1)?.name ?? '';

async function finishTrace(running: Running): Promise<TraceFacts> {
  running.kill('SIGINT');
  const { code, stdout, stderr } = await running.wait();
  const lines = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { readonly type: string });
  const of = <Line>(type: string): Line[] => lines.filter((line) => line.type === type) as Line[];
  const [meta] = of<{ readonly ways: readonly WayLine[] }>('meta');
  const [summary] = of<{ readonly lost: number }>('summary');
  return {
    code,
    stderr,
    ways: meta?.ways ?? [],
    packets: of<PacketFacts>('packet'),
    lost: summary?.lost ?? Number.NaN,
  };
}

/** Ends a command that does not end by itself in time. */
async function inTime<Result>(command: Running, result: Promise<Result>): Promise<Result> {
  const timer = setTimeout(() => command.kill('SIGTERM'), PATIENCE * 1000);
  try {
    return await result;
  } finally {
    clearTimeout(timer);
  }
}

async function runInGuest(guest: Guest): Promise<{ traffic: Traffic; trace: TraceFacts; driver: string }> {
  const [udp, tcp, running] = await Promise.all([
    startSink(guest, { count: DATAGRAMS }),
    startTcpSink(guest, TCP_PORT),
    startTrace(guest, [GUEST_IFACE, '--until', UNTIL, '--wait', WAIT]),
  ]);
  const before = await framesReceived(guest);
  await sendDatagrams(guest);
  const udpCount = await inTime(udp.command, udp.wait());
  const frames = await sendTcp(guest);
  const tcpCount = await inTime(tcp.command, tcp.wait());
  // Drivers add up their counters now and then.
  const counted = await settle(
    async () => (await framesReceived(guest)) - before,
    (count) => count >= DATAGRAMS + frames,
  );
  const driver = await guest.shell(`basename $(readlink /sys/class/net/${GUEST_IFACE}/device/driver)`);
  return {
    driver: driver.trim(),
    trace: await finishTrace(running),
    traffic: {
      udp: expectedLengths(),
      tcpFrames: frames,
      tcpBytes: TCP_BYTES,
      udpRead: udpCount.received,
      tcpRead: tcpCount.bytes,
      tcpIntact: tcpCount.sha256 === createHash('sha256').update(TCP_DATA).digest('hex'),
      readers: { udp: udpCount.pid, tcp: tcpCount.pid },
      counted,
    },
  };
}

/** Runs a cell. What goes wrong in it is its failure, not an exception. */
export async function runCell(cell: Cell, say: Say, turn?: Turn): Promise<CellResult> {
  let from = performance.now();
  const seconds = (): number => (performance.now() - from) / 1000;
  const nothing = { release: '', driver: '', packets: 0, ways: [], stamped: {}, classes: {}, fates: {} };
  try {
    return await withGuest({ ...cell, cpus: CELL_CPUS, say, ...(turn && { turn }) }, async (guest) => {
      // Another guest may have had the machine until now.
      from = performance.now();
      const { traffic, trace, driver } = await runInGuest(guest);
      const verdict = judge(trace, traffic, UNREACHED[cell.kernel]);
      return {
        ...cell,
        release: guest.release,
        driver,
        failures: verdict.failures,
        udp: { sent: DATAGRAMS, seen: verdict.udpSeen },
        tcp: { sent: traffic.tcpFrames, seen: verdict.tcpSeen, bytes: traffic.tcpRead },
        packets: trace.packets.length,
        ways: trace.ways,
        stamped: verdict.stamped,
        classes: verdict.classes,
        fates: verdict.fates,
        seconds: seconds(),
      };
    });
  } catch (error) {
    const why = error instanceof RxError ? error.toLine() : String(error);
    const none = { sent: 0, seen: 0 };
    return {
      ...cell,
      ...nothing,
      failures: [why],
      udp: none,
      tcp: { ...none, bytes: 0 },
      seconds: seconds(),
    };
  }
}
