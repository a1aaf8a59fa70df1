import { describe, expect, it } from 'vitest';
import { Joiner } from '../packet/join.js';
import { HOW, PacketCursor } from '../packet/arrival.js';
import type { Loss } from '../record/loss.js';
import type { InterruptRecord } from '../record/source.js';
import { stageIndex } from '../stages.js';
import type { TextFormat } from './format.js';
import { TEXT_FORMATS, detect } from './formats.js';
import { ImportSource } from './source.js';

const format = (name: string): TextFormat => TEXT_FORMATS.find((one) => one.name === name) as TextFormat;

interface Imported {
  readonly source: ImportSource;
  readonly interrupts: readonly InterruptRecord[];
  readonly losses: readonly Loss[];
}

/** Imports lines; `from` undefined: detected. */
function imported(lines: readonly string[], from?: string): Imported {
  const which = from === undefined ? detect(lines) : format(from);
  if (which === undefined) throw new Error('no format');
  const source = new ImportSource(which, which.reader(), true);
  const interrupts: InterruptRecord[] = [];
  const losses: Loss[] = [];
  source.onInterrupt = (interrupt) => interrupts.push(interrupt);
  source.onLoss = (loss) => losses.push(loss);
  for (const line of lines) source.line(line);
  source.end();
  source.drain();
  return { source, interrupts, losses };
}

const FTRACE = `# tracer: nop
#
# entries-in-buffer/entries-written: 13/13   #P:2
#
#                                _-----=> irqs-off/BH-disabled
#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION
#              | |         |   |||||     |         |
          <idle>-0       [001] d.h1.   100.000001: irq_handler_entry: irq=25 name=eth0-rx-0
          <idle>-0       [001] dNh1.   100.000002: softirq_raise: vec=3 [action=NET_RX]
          <idle>-0       [001] dNh1.   100.000003: irq_handler_exit: irq=25 ret=handled
          <idle>-0       [001] .Ns1.   100.000005: softirq_entry: vec=3 [action=NET_RX]
          <idle>-0       [001] .Ns1.   100.000010: napi_gro_receive_entry: dev=eth0 napi_id=0x2002 queue_mapping=1 skbaddr=00000000abcdef12 vlan_tagged=0 vlan_proto=0x0000 vlan_tci=0x0000 protocol=0x0800 ip_summed=0 hash=0x0000002a l4_hash=0 len=46 data_len=0 truesize=768 mac_header_valid=1 mac_header=-14 nr_frags=0 gso_size=0 gso_type=0x0
          <idle>-0       [001] .Ns1.   100.000012: netif_receive_skb: dev=eth0 skbaddr=00000000abcdef12 len=46
          <idle>-0       [001] .Ns1.   100.000020: napi_poll: napi poll on napi struct 0000000012345678 for device eth0 work 1 budget 64
          <idle>-0       [001] .Ns1.   100.000025: softirq_exit: vec=3 [action=NET_RX]
   some prog-1 2-812     [000] ..s1.   100.000030: sched_switch: prev_comm=x prev_pid=1`.split('\n');

const PERF = `swapper     0 [001]   100.000001000: irq:irq_handler_entry: irq=25 name=eth0-rx-0
 my prog   812/815 [000]   100.000001500: irq:irq_handler_entry: irq=26 name=eth0-rx-1
 my prog   812/815 [000]   100.000001900: irq:irq_handler_exit: irq=26 ret=handled
swapper     0 [001]   100.000003000: irq:irq_handler_exit: irq=25 ret=handled
	ffffffff810b0e65 __handle_irq_event_percpu+0x115 ([kernel.kallsyms])

swapper     0 [001]   100.000004000: PERF_RECORD_LOST lost 7`.split('\n');

describe('which format a file is', () => {
  it('is found out from lines that only it has', () => {
    const of = (...lines: string[]): string | undefined => detect(lines)?.name;
    expect(detect(FTRACE)?.name).toBe('ftrace');
    expect(detect(PERF)?.name).toBe('perf');
    expect(of('[    0.000000] Linux version 6.12')).toBe('dmesg');
    expect(of('2026-11-23T07:12:05,891804+00:00 usb 1-1: new')).toBe('dmesg');
    expect(of('5,0,0,-;Linux version')).toBe('dmesg');
    expect(of('Nov 23 07:12:05 host kernel: [    6.147811] IRQ Number=31; Vector=38')).toBe('dmesg');
    expect(of('Attaching 2 probes...', 'irq 25 vec 38 cpu 1 time 123456789')).toBe('bpftrace');
    expect(
      of('cpus=2', '          <idle>-0     [001]   100.000001: irq_handler_entry:    irq=25 name=x'),
    ).toBe('ftrace');
    expect(of('root:x:0:0:root:/root:/bin/bash', '')).toBeUndefined();
  });
});

describe('lines of the kernel’s log', () => {
  const at = (lines: readonly string[]): unknown[] => {
    const { source, interrupts } = imported(lines, 'dmesg');
    return interrupts.map(({ irq, vector, cpu, entry }) => [irq, vector, cpu, source.base + BigInt(entry)]);
  };

  it('have their times in each of its forms', () => {
    expect(
      at([
        '[    6.147811] IRQ Number=31; Vector=38',
        '<7>[   12.000001] IRQ Number=32; Vector=39',
        'Nov 23 07:12:05 host kernel: [   13.999999] IRQ Number=33; Vector=40',
        '7,1046,14000000,-;IRQ Number=34; Vector=41',
      ]),
    ).toEqual([
      [31, 38, -1, 6_147_811_000n],
      [32, 39, -1, 12_000_001_000n],
      [33, 40, -1, 13_999_999_000n],
      [34, 41, -1, 14_000_000_000n],
    ]);
    const first = BigInt(Date.UTC(2026, 10, 23, 7, 12, 5)) * 1_000_000n;
    expect(
      at([
        '2026-11-23T07:12:05,891804+00:00 IRQ Number=31; Vector=38',
        '2026-11-23T08:12:06.000001+0100 host kernel: IRQ Number=31; Vector=38',
      ]),
    ).toEqual([
      [31, 38, -1, first + 891_804_000n],
      [31, 38, -1, first + 1_000_001_000n],
    ]);
  });

  it('have the time of entry where they tell it, exact to the nanosecond', () => {
    const { source, interrupts } = imported([
      '[    6.891603] IRQ Number=32; Vector=38; CPU=0; Time=6867915397',
      '[    6.891693] IRQ Number=31; Vector=38; CPU=1; Time=8999999999999999',
    ]);
    expect(source.clock).toBe('monotonic');
    expect(interrupts.map(({ cpu, entry }) => [cpu, entry])).toEqual([
      [0, 867_915_397],
      [1, 8_999_993_999_999_999],
    ]);
  });

  it('of two clocks cannot be mixed', () => {
    const { source, interrupts, losses } = imported([
      '[    6.147811] IRQ Number=31; Vector=38',
      '2026-11-23T07:12:05,891804+00:00 IRQ Number=31; Vector=38',
      '[    6.891603] IRQ Number=32; Vector=38; CPU=0; Time=6867915397',
    ]);
    expect(interrupts.map(({ irq }) => irq)).toEqual([31, 32]);
    expect(source.clock).toBe('local');
    expect(losses).toMatchObject([{ cause: 'not_understood', count: 1 }]);
  });

  it('are named by their number where they are damaged, and the others left alone', () => {
    const { source } = imported(
      [
        '[    6.147811] usb 1-1: new device',
        '               of two lines',
        '[    6.147811] IRQ Number=31; Vec',
        'IRQ Number=31; Vector=38',
        '[Mon Nov 23 07:12:05 2026] IRQ Number=31; Vector=38',
        '\x1b[2Jx',
      ],
      'dmesg',
    );
    expect(source.counts).toEqual({ lines: 6, records: 0, others: 2, malformed: 4, late: 0 });
    expect(source.told).toEqual([
      'line 3: not understood: "[    6.147811] IRQ Number=31; Vec"',
      'line 4: not understood: "IRQ Number=31; Vector=38"',
      'line 5: not understood: "[Mon Nov 23 07:12:05 2026] IRQ Number=31; Vector=38"',
      'line 6: not understood: "?[2Jx"',
    ]);
  });
});

describe('lines of kernel events', () => {
  const packets = (lines: readonly string[]): PacketCursor[] => {
    const which = detect(lines) as TextFormat;
    const source = new ImportSource(which, which.reader(), false);
    const joiner = new Joiner(source, 'stack');
    for (const line of lines) source.line(line);
    source.end();
    source.drain();
    joiner.begin(true);
    const found: PacketCursor[] = [];
    for (let cursor = new PacketCursor(); joiner.next(cursor, true); cursor = new PacketCursor())
      found.push(cursor);
    return found;
  };

  it('of ftrace are a packet with its interrupt', () => {
    const [packet, ...others] = packets(FTRACE);
    expect(others).toEqual([]);
    if (packet === undefined) throw new Error('none');
    const stages = ['isr', 'raise', 'softirq', 'driver', 'stack'] as const;
    expect(stages.map((stage) => packet.stage(stageIndex(stage)))).toEqual([
      1000, 2000, 5000, 10_000, 12_000,
    ]);
    const { lane, row, poll, how, certain } = packet;
    expect([lane.cpu, lane.packets.length[row], lane.packets.protocol[row], lane.packets.hash[row]]).toEqual([
      1, 46, 0x0800, 42,
    ]);
    expect([lane.polls.irq[poll], lane.polls.work[poll], how, certain]).toEqual([25, 1, HOW.ownIrq, false]);
  });

  it('count what is not used, and what is damaged', () => {
    const { source } = imported([
      ...FTRACE,
      '          <idle>-0       [001] d.h1.   100.1: x',
      FTRACE[7]!.slice(0, -20),
    ]);
    expect(source.counts).toEqual({ lines: 18, records: 8, others: 8, malformed: 2, late: 0 });
  });

  it('of perf tell interrupts, and what perf has lost', () => {
    const { source, interrupts, losses } = imported(PERF);
    expect(interrupts.map(({ irq, cpu, isr, exit }) => [irq, cpu, isr, exit])).toEqual(
      [
        [25, 1, 1000, 3000],
        [26, 0, 1500, 1900],
      ].sort((a, b) => (a[3] as number) - (b[3] as number)),
    );
    expect(losses).toMatchObject([{ cause: 'events_lost', cpu: 1, count: 7 }]);
    expect(source.counts).toEqual({ lines: 7, records: 5, others: 2, malformed: 0, late: 0 });
  });

  it('of perf-tools have words around them', () => {
    const { source, interrupts } = imported([
      'Tracing kprobe rx. Ctrl-C to end.',
      '          <idle>-0     [001] d.h1. 100.000002: rx: (handle_edge_irq+0x4/0x1f0) irq=25',
      '',
      'Ending tracing...',
    ]);
    expect(interrupts).toMatchObject([{ irq: 25, entry: 2000 }]);
    expect(source.counts).toMatchObject({ records: 1, others: 3 });
  });

  it('of trace-cmd have no flags or all of them, and nine digits', () => {
    const { interrupts } = imported([
      'cpus=2',
      '          <idle>-0     [001]   100.000001002: irq_handler_entry:    irq=25 name=eth0-rx-0',
      '          <idle>-0     [001] d.h1. 100.000001003: irq_handler_exit:     irq=25 ret=handled',
    ]);
    expect(interrupts).toMatchObject([{ isr: 1002, exit: 1003 }]);
  });

  it('of the handler’s beginning alone are interrupts too', () => {
    const line = '          <idle>-0     [001]   100.000001: irq_handler_entry: irq=25 name=x';
    const { interrupts } = imported([line, line.replace('01: ', '09: ')]);
    expect(interrupts).toMatchObject([{ isr: 1000 }, { isr: 9000 }]);
  });

  it('of probes tell the vector, the line, or both', () => {
    const vector =
      '          <idle>-0     [001] d.h1. 100.000001: v: (__common_interrupt+0x4/0xa0) vector=38';
    const line = '          <idle>-0     [001] d.h1. 100.000002: r: (handle_edge_irq+0x4/0x1f0) irq=25';
    expect(imported([vector]).interrupts).toMatchObject([{ irq: -1, vector: 38, entry: 1000 }]);
    expect(imported([line]).interrupts).toMatchObject([{ irq: 25, vector: 0, entry: 2000 }]);
    expect(imported([vector, line]).interrupts).toMatchObject([
      { irq: 25, vector: 38, entry: 1000, claim: 2000 },
    ]);
    const handler = FTRACE[7]!.replace('100.000001', '100.000003');
    const exit = FTRACE[9]!.replace('100.000003', '100.000004');
    expect(imported([vector, line, handler, exit]).interrupts).toMatchObject([
      { irq: 25, vector: 38, entry: 1000, claim: 2000, isr: 3000, exit: 4000 },
    ]);
  });

  it('that are lost end what was open', () => {
    const entry = FTRACE[7]!;
    const exit = FTRACE[9]!;
    const { interrupts, losses } = imported([entry, 'CPU:1 [LOST 12 EVENTS]', exit]);
    expect(interrupts).toEqual([]);
    expect(losses).toMatchObject([{ cause: 'events_lost', cpu: 1, count: 12 }]);
    expect(imported([entry, 'CPU:1 [3 EVENTS DROPPED]', exit]).losses).toMatchObject([{ count: 3 }]);
    expect(imported([entry, 'CPU:1 [EVENTS DROPPED]', exit]).losses).toMatchObject([{ count: 1 }]);
    const header = '# entries-in-buffer/entries-written: 205/1205   #P:2';
    expect(imported([header, entry, exit]).losses).toMatchObject([{ cpu: -1, count: 1000 }]);
  });

  it('out of order are put in order', () => {
    const swapped = [...FTRACE.slice(0, 7), ...FTRACE.slice(7).toReversed()];
    expect(packets(swapped).map((packet) => packet.stage(stageIndex('isr')))).toEqual([1000]);
  });

  it('far behind their place are counted', () => {
    const line = (micros: number): string =>
      `  <idle>-0 [001] 1${String(micros).padStart(5, '0')}.000000: irq_handler_entry: irq=25 name=x`;
    const lines = Array.from({ length: 5000 }, (_, index) => line(index + 10));
    const { source, interrupts } = imported([...lines, line(1)]);
    expect(source.counts).toMatchObject({ lines: 5001, records: 5000, late: 1 });
    expect(interrupts).toHaveLength(5000);
    expect(source.told[0]).toMatch(/^line 5001: not understood: it is older/);
  });
});

it('bpftrace’s lines are interrupts', () => {
  const { source, interrupts, losses } = imported([
    'Attaching 2 probes...',
    'irq 25 vec 38 cpu 1 time 123456789012',
    'Lost 4 events',
    'irq 25 vec 38 cpu 9999 time 1',
    '',
    '@count: 3',
  ]);
  expect(interrupts).toMatchObject([{ irq: 25, vector: 38, cpu: 1, entry: 456_789_012 }]);
  expect(source.base).toBe(123_000_000_000n);
  expect(source.counts).toEqual({ lines: 6, records: 2, others: 3, malformed: 1, late: 0 });
  expect(losses.map(({ cause, count }) => [cause, count])).toEqual([
    ['events_lost', 4],
    ['not_understood', 1],
  ]);
});
