/** What must hold in a cell, and what is told about it. Pure. */
import { HOOKED_STAGES, STAGE_NAMES, type StageName } from '../../src/stages.js';
import { SINK_PORT } from '../frames.js';
import type { ClassFacts, PacketFacts, TraceFacts, Traffic } from './result.js';

/** Port of the TCP transfer. */
export const TCP_PORT = 5001;

/** The part of a cell's result that comes from its trace. */
export interface Verdict {
  readonly failures: readonly string[];
  readonly udpSeen: number;
  readonly tcpSeen: number;
  readonly stamped: Readonly<Partial<Record<StageName, number>>>;
  readonly classes: Readonly<Record<string, ClassFacts>>;
  readonly fates: Readonly<Record<string, number>>;
}

const INTERRUPT_CLASSES: readonly string[] = ['own-irq', 'batch'];
/** The stages in path order; the NIC's own stamp is of another clock and may lie anywhere within its error. */
const ORDER: readonly StageName[] = HOOKED_STAGES.map(({ name }) => name);

function countBy<Item>(
  items: readonly Item[],
  key: (item: Item) => string | undefined,
): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const item of items) {
    const name = key(item);
    if (name !== undefined) counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

function median(values: readonly number[]): number | null {
  return values.length === 0 ? null : ([...values].sort((a, b) => a - b)[values.length >> 1] ?? null);
}

/** True when no stage is stamped before one in front of it. */
export function inOrder(packet: PacketFacts): boolean {
  let last = Number.NEGATIVE_INFINITY;
  for (const stage of ORDER) {
    const time = packet.stages[stage];
    if (time === undefined) continue;
    if (time < last) return false;
    last = time;
  }
  return true;
}

const same = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((value, index) => value === b[index]);

function accountFailures(
  trace: TraceFacts,
  traffic: Traffic,
  udp: readonly PacketFacts[],
  tcp: readonly PacketFacts[],
): string[] {
  const failures: string[] = [];
  const sentUdp = [...traffic.udp.values()].reduce((sum, lengths) => sum + lengths.length, 0);
  const say = (holds: boolean, text: string): void => void (holds || failures.push(text));
  say(trace.code === 0, `rxstamp ended with code ${trace.code}: ${trace.stderr.trim().slice(-200)}`);
  say(trace.lost === 0, `rxstamp lost ${trace.lost}`);
  say(udp.length === sentUdp, `${udp.length} of ${sentUdp} datagrams seen`);
  for (const [port, lengths] of traffic.udp) {
    const seen = udp.filter(({ flow }) => flow.sourcePort === port).map(({ length }) => length);
    if (seen.length === lengths.length) say(same(seen, lengths), `flow ${port} is not in its order`);
    else failures.push(`flow ${port}: ${seen.length} of ${lengths.length} datagrams seen`);
  }
  say(tcp.length === traffic.tcpFrames, `${tcp.length} of ${traffic.tcpFrames} TCP frames seen`);
  say(
    traffic.counted === trace.packets.length,
    `the interface counted ${traffic.counted} frames, rxstamp ${trace.packets.length}`,
  );
  say(traffic.udpRead === sentUdp, `the UDP receiver got ${traffic.udpRead} of ${sentUdp} datagrams`);
  say(
    traffic.tcpRead === traffic.tcpBytes,
    `the TCP receiver got ${traffic.tcpRead} of ${traffic.tcpBytes} bytes`,
  );
  say(traffic.tcpIntact, 'the TCP receiver got other bytes');
  return failures;
}

function ladderFailures(trace: TraceFacts, unreached: readonly StageName[]): string[] {
  const failures: string[] = [];
  const wrong = trace.packets.filter((packet) => !inOrder(packet));
  if (wrong.length > 0) failures.push(`${wrong.length} packets have stages out of order`);
  const mute = trace.ways.filter(({ hook, reasons }) => hook === undefined && reasons.length === 0);
  for (const { stage } of mute) failures.push(`${stage} is not reached, and no reason is given`);
  for (const stage of ORDER) {
    const way = trace.ways.find((one) => one.stage === stage);
    if (way === undefined) failures.push(`nothing is said about ${stage}`);
    else if (way.hook === undefined && !unreached.includes(stage))
      failures.push(`${stage} is not reached: ${way.reasons.join('; ')}`);
    else if (way.hook !== undefined && unreached.includes(stage))
      failures.push(`${stage} is reached by ${way.hook}, which the table of kernels does not know`);
  }
  const hooked = (stage: StageName): boolean =>
    trace.ways.some((way) => way.stage === stage && way.hook !== undefined);
  if (hooked('entry')) {
    const without = trace.packets.filter(
      ({ how, stages }) => INTERRUPT_CLASSES.includes(how) && stages.entry === undefined,
    );
    if (without.length > 0) failures.push(`${without.length} packets of an interrupt have no entry`);
  }
  const driverless = trace.packets.filter(({ stages }) => stages.driver === undefined);
  if (driverless.length > 0) failures.push(`${driverless.length} packets have no driver stamp`);
  return failures;
}

function boundFailures(packets: readonly PacketFacts[]): string[] {
  const crossed = packets.filter(({ notBefore, notAfter }) => notAfter < 0 || (notBefore ?? 0) > notAfter);
  const fromInterrupt = packets.filter(({ how }) => INTERRUPT_CLASSES.includes(how));
  return [
    ...(crossed.length > 0 ? [`${crossed.length} packets have bounds that exclude each other`] : []),
    ...(fromInterrupt.length === 0 ? ['no packet was tied to an interrupt'] : []),
  ];
}

/** Where the trace looks as far as the reader: everything sent was read by the program that has it. */
function readFailures(
  trace: TraceFacts,
  traffic: Traffic,
  udp: readonly PacketFacts[],
  tcp: readonly PacketFacts[],
): string[] {
  const last = STAGE_NAMES.indexOf('read');
  if (
    last < 0 ||
    !trace.ways.some((way) => STAGE_NAMES.indexOf(way.stage) === last && way.hook !== undefined)
  ) {
    return [];
  }
  const failures: string[] = [];
  const { readers } = traffic;
  const unread = udp.filter(({ fate, reader }) => fate !== 'read' || reader?.pid !== readers.udp);
  if (unread.length > 0) {
    failures.push(
      `${unread.length} datagrams are not read by their receiver: ${words(countBy(unread, ({ fate }) => fate))}`,
    );
  }
  const open = tcp.filter(({ fate }) => fate === undefined || fate === 'open');
  if (open.length > 0) failures.push(`${open.length} TCP frames have no end`);
  const bytes = tcp.reduce((sum, { reader }) => sum + (reader?.pid === readers.tcp ? reader.bytes : 0), 0);
  if (bytes !== traffic.tcpBytes)
    failures.push(`${bytes} of ${traffic.tcpBytes} TCP bytes are read in the trace`);
  return failures;
}

/** `3 read, 2 open`. */
export function words(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .map(([name, count]) => `${count} ${name}`)
    .join(', ');
}

/**
 * Judges a trace of known traffic.
 * @param unreached stages that the kernel has no hook for
 */
export function judge(trace: TraceFacts, traffic: Traffic, unreached: readonly StageName[] = []): Verdict {
  const { packets } = trace;
  const to = (port: number): PacketFacts[] => packets.filter(({ flow }) => flow.destinationPort === port);
  const [udp, tcp] = [to(SINK_PORT), to(TCP_PORT)];
  const stamped: Partial<Record<StageName, number>> = {};
  for (const stage of STAGE_NAMES) {
    const count = packets.filter(({ stages }) => stages[stage] !== undefined).length;
    if (count > 0) stamped[stage] = count;
  }
  const classes: Record<string, ClassFacts> = {};
  for (const how of new Set(packets.map((packet) => packet.how))) {
    const members = packets.filter((packet) => packet.how === how);
    classes[how] = {
      count: members.length,
      certain: members.filter(({ certain }) => certain).length,
      width: median(
        members.flatMap(({ notBefore, notAfter }) => (notBefore === null ? [] : [notAfter - notBefore])),
      ),
    };
  }
  return {
    failures: [
      ...accountFailures(trace, traffic, udp, tcp),
      ...ladderFailures(trace, unreached),
      ...boundFailures(packets),
      ...readFailures(trace, traffic, udp, tcp),
    ],
    udpSeen: udp.length,
    tcpSeen: tcp.length,
    stamped,
    classes,
    fates: countBy(packets, ({ fate }) => fate),
  };
}
