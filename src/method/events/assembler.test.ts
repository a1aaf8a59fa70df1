import { describe, expect, it } from 'vitest';
import { FATE, Lane, POLL, PacketColumns } from '../../record/lane.js';
import type { LaterRecord } from '../../record/later.js';
import type { InterruptRecord } from '../../record/source.js';
import { stageIndex } from '../../stages.js';
import { Assembler, type Assembled, type Sink } from './assembler.js';
import { EVENTS, type Fields, eventsUntil } from './table.js';

const IRQS = [
  { irq: 25, ifindex: 2, queue: 0 },
  { irq: 26, ifindex: 2, queue: 1 },
];
const HOW: Assembled = {
  ifindex: 2,
  irqs: IRQS,
  oneQueue: true,
  names: new Map([['eth0', 2]]),
  lastOfInterrupt: 'exit',
};

function make(how: Partial<Assembled> = {}): {
  into: Assembler;
  lanes: Lane[];
  interrupts: InterruptRecord[];
  later: LaterRecord[];
} {
  const interrupts: InterruptRecord[] = [];
  const later: LaterRecord[] = [];
  const sink: Sink = {
    lanes: [new Lane(0), new Lane(1)],
    onInterrupt: (interrupt) => interrupts.push(interrupt),
    onLater: (record) => later.push(record.copy()),
  };
  return {
    into: new Assembler(sink, { ...HOW, ...how }),
    lanes: sink.lanes as Lane[],
    interrupts,
    later,
  };
}

const PACKET = { device: 'eth0', length: 46, hash: 7, protocol: 0x0800, vlan: 0, queue: 1 };
const END = { napi: 0xabc, device: 'eth0', work: 1, budget: 64, pid: 0 };

/** An interrupt with its softirq, on CPU 0. */
function interruptAt(into: Assembler, time: number, irq = 25): void {
  into.isr(0, time, irq);
  into.raise(0, time + 2);
  into.exit(0, time + 3, irq);
  into.softirq(0, time + 5);
}

function poll(lane: Lane, row: number): Record<string, number> {
  const { polls } = lane;
  const stage = (name: 'entry' | 'isr' | 'raise' | 'softirq'): number =>
    polls.times[stageIndex(name)]![row] as number;
  return {
    irq: polls.irq[row] as number,
    flags: polls.flags[row] as number,
    packets: polls.packets[row] as number,
    entry: stage('entry'),
    isr: stage('isr'),
    raise: stage('raise'),
    softirq: stage('softirq'),
    previousEnd: polls.previousEnd[row] as number,
    empty: polls.empty[row] as number,
    again: polls.again[row] as number,
  };
}

describe('the assembler', () => {
  it('ties packets to their poll and the poll to the interrupt that led to it', () => {
    const { into, lanes, interrupts } = make();
    interruptAt(into, 100);
    into.packet(0, 110, { ...PACKET, skb: 1 });
    into.packet(0, 111, { ...PACKET, skb: 2 });
    into.pollEnd(0, 120, { ...END, work: 2 });
    into.softirqExit(0);
    const lane = lanes[0] as Lane;
    expect(interrupts).toEqual([
      { irq: 25, vector: 0, cpu: 0, entry: NaN, claim: NaN, isr: 100, exit: 103, napiId: 0 },
    ]);
    expect([...lane.packets.poll.subarray(0, 2)]).toEqual([0, 0]);
    expect([...lane.packets.indexInPoll.subarray(0, 2)]).toEqual([1, 2]);
    expect(poll(lane, 0)).toEqual({
      irq: 25,
      flags: POLL.CAUSED,
      packets: 2,
      entry: NaN,
      isr: 100,
      raise: 102,
      softirq: 105,
      previousEnd: NaN,
      empty: NaN,
      again: 0,
    });
    // The next one: nothing led to it; the queue was empty behind the last packet.
    into.softirq(0, 200);
    into.packet(0, 210, { ...PACKET, skb: 3 });
    into.pollEnd(0, 220, END);
    expect(poll(lane, 1)).toMatchObject({ irq: 25, flags: 0, previousEnd: 120, empty: 111 });
  });

  it('does not take an interrupt that came while the poll was running, but gives it to the next one', () => {
    const { into, lanes } = make();
    interruptAt(into, 100);
    into.packet(0, 110, { ...PACKET, skb: 1 });
    into.isr(0, 112, 25);
    into.raise(0, 113);
    into.exit(0, 114, 25);
    into.pollEnd(0, 120, END);
    into.packet(0, 130, { ...PACKET, skb: 2 });
    into.pollEnd(0, 140, END);
    const lane = lanes[0] as Lane;
    expect(poll(lane, 0)).toMatchObject({ isr: 100, again: 1, flags: POLL.CAUSED });
    expect(poll(lane, 1)).toMatchObject({ flags: 0 });
  });

  it('tells the interrupts of two queues apart by the packets’ queue', () => {
    const { into, lanes } = make();
    into.isr(0, 100, 25);
    into.exit(0, 103, 25);
    into.isr(0, 105, 26);
    into.exit(0, 108, 26);
    into.softirq(0, 110);
    into.packet(0, 111, { ...PACKET, queue: 2, skb: 1 });
    into.pollEnd(0, 115, { ...END, napi: 2 });
    into.packet(0, 116, { ...PACKET, queue: 1, skb: 2 });
    into.pollEnd(0, 120, { ...END, napi: 1 });
    const lane = lanes[0] as Lane;
    expect(poll(lane, 0)).toMatchObject({ irq: 26, isr: 105, flags: POLL.CAUSED });
    expect(poll(lane, 1)).toMatchObject({ irq: 25, isr: 100, flags: POLL.CAUSED });
  });

  it('says so when two interrupts could have been the one', () => {
    const { into, lanes } = make();
    into.isr(0, 100, 25);
    into.exit(0, 103, 25);
    into.isr(0, 105, 26);
    into.exit(0, 108, 26);
    into.packet(0, 111, { ...PACKET, queue: 0, skb: 1 });
    into.pollEnd(0, 115, END);
    expect(poll(lanes[0] as Lane, 0)).toMatchObject({ irq: 25, flags: POLL.CAUSED | POLL.AMBIGUOUS });
  });

  it('joins the vector of the entry with the line that the flow handler knows', () => {
    const { into, interrupts } = make();
    into.entry(0, 90, -1, 0x25);
    into.entry(0, 95, 25);
    interruptAt(into, 100);
    // Of a line that is not wanted: its entry is no other's.
    into.entry(0, 190, -1, 0x40);
    into.entry(0, 195, 9);
    interruptAt(into, 200);
    expect(interrupts).toEqual([
      { irq: 25, vector: 0x25, cpu: 0, entry: 90, claim: 95, isr: 100, exit: 103, napiId: 0 },
      { irq: 25, vector: 0, cpu: 0, entry: NaN, claim: NaN, isr: 200, exit: 203, napiId: 0 },
    ]);
  });

  it('ends an interrupt at the last stage that is stamped', () => {
    const entries = make({ lastOfInterrupt: 'entry' });
    entries.into.entry(1, 90, -1, 0x25);
    entries.into.entry(1, 95, 25);
    expect(entries.interrupts).toMatchObject([{ irq: 25, vector: 0x25, cpu: 1, entry: 90, claim: 95 }]);
    const handlers = make({ lastOfInterrupt: 'isr', irqsTold: false, irqs: [] });
    handlers.into.isr(1, 100, -1);
    expect(handlers.interrupts).toMatchObject([{ irq: -1, isr: 100 }]);
  });

  it('ends no interrupt by the end of another handler, and takes no raise outside of one', () => {
    const { into, interrupts, lanes } = make();
    into.raise(0, 50);
    into.isr(0, 100, 25);
    into.exit(0, 103, 26);
    into.isr(0, 104, 25);
    into.exit(0, 105, 25);
    into.packet(0, 110, { ...PACKET, skb: 1 });
    into.pollEnd(0, 120, END);
    expect(interrupts).toHaveLength(1);
    expect(poll(lanes[0] as Lane, 0)).toMatchObject({ isr: 100, raise: NaN });
  });

  it('tells the stack stage of the packet with that skb, once', () => {
    const { into, later } = make();
    into.packet(0, 110, { ...PACKET, skb: 1 });
    into.packet(1, 111, { ...PACKET, skb: 2 });
    into.stack(1, 120, 2);
    into.stack(1, 121, 2);
    into.stack(0, 122, 99);
    expect(later.map(({ origin, sequence, time, stage }) => [origin, sequence, time, stage])).toEqual([
      [1, 0, 120, stageIndex('stack')],
    ]);
  });

  it('leaves out what is of another interface', () => {
    const { into, lanes } = make();
    expect(into.packet(0, 110, { ...PACKET, device: 'eth1', skb: 1 })).toBe(false);
    into.pollEnd(0, 120, { ...END, device: 'eth1' });
    expect([lanes[0]?.count, lanes[0]?.pollCount]).toEqual([0, 0]);
  });

  it('waits for no poll where there are no interrupts', () => {
    const { into, lanes } = make({ irqs: [] });
    into.packet(0, 110, { ...PACKET, skb: 1 });
    const { packets } = lanes[0] as Lane;
    expect([packets.poll[0], packets.fate[0]]).toEqual([PacketColumns.NONE, FATE.open]);
  });

  it('ties nothing across a gap', () => {
    const { into, lanes, interrupts } = make();
    into.isr(0, 100, 25);
    into.gap(0);
    into.exit(0, 103, 25);
    into.packet(0, 110, { ...PACKET, skb: 1 });
    into.gap(0);
    into.packet(0, 130, { ...PACKET, skb: 2 });
    into.pollEnd(0, 140, END);
    const lane = lanes[0] as Lane;
    expect(interrupts).toEqual([]);
    expect([...lane.packets.poll.subarray(0, 2)]).toEqual([PacketColumns.UNSEEN, 0]);
    expect(poll(lane, 0)).toMatchObject({ flags: 0, packets: 1, irq: 0 });
  });
});

describe('the table of events', () => {
  const fields = (values: Record<string, number | string>): Fields => ({
    number: (name) => Number(values[name] ?? 0),
    address: (name) => Number(values[name] ?? 0),
    text: (name) => String(values[name] ?? ''),
    pid: 0,
  });

  it('feeds what every event says', () => {
    const { into, lanes, later } = make();
    const feed = (name: string, time: number, values: Record<string, number | string>): void =>
      EVENTS[name]?.(into, 0, time, fields(values));
    feed('irq:irq_handler_entry', 100, { irq: 25 });
    feed('irq:softirq_raise', 101, { vec: 1 });
    feed('irq:softirq_raise', 102, { vec: 3 });
    feed('irq:irq_handler_exit', 103, { irq: 25 });
    feed('irq:softirq_entry', 105, { vec: 3 });
    const packet = { skbaddr: 5, name: 'eth0', len: 46, protocol: 0x86dd, queue_mapping: 1, vlan_tci: 9 };
    feed('net:napi_gro_receive_entry', 110, packet);
    feed('net:netif_receive_skb', 112, { skbaddr: 5 });
    feed('napi:napi_poll', 120, { napi: 1, dev_name: 'eth0', work: 1, budget: 64 });
    feed('irq:softirq_exit', 125, { vec: 3 });
    const lane = lanes[0] as Lane;
    expect(poll(lane, 0)).toMatchObject({ irq: 25, isr: 100, raise: 102, softirq: 105, packets: 1 });
    expect([lane.packets.protocol[0], lane.packets.vlan[0], lane.packets.length[0]]).toEqual([0x86dd, 0, 46]);
    expect(later.map(({ time }) => time)).toEqual([112]);
  });

  it('names the events that are needed', () => {
    expect(eventsUntil(true, true)).toEqual(['irq:irq_handler_entry', 'irq:irq_handler_exit']);
    expect(eventsUntil(false, false)).not.toContain('net:netif_receive_skb');
    expect(eventsUntil(false, true)).toContain('net:netif_receive_skb');
  });
});
