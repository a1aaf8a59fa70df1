import { describe, expect, it } from 'vitest';
import { HOW_NAMES } from '../../packet/arrival.js';
import { META, SHOWN, ZERO, render, renderWays } from '../../../test/support/sample-trace.js';
import { csvFormat } from './csv.js';
import { FORMATS } from './index.js';
import { ndjsonFormat } from './ndjson.js';
import { textFormat } from './text.js';
import { timesFormat } from './times.js';
import { treeFormat } from './tree.js';

const interrupts = { ...META, filter: { interrupts: true } };

describe('the text format', () => {
  const lines = render(textFormat);

  it('starts with what is stamped, why not more, the interface and the clock', () => {
    expect(lines.slice(0, 3)).toEqual([
      'earliest stamp: entry (fentry irq_enter_rcu); no poll: fentry __napi_poll: not a function of this kernel',
      'eth7 igb: rxtx-0 → IRQ 25 (CPU 1)',
      'CLOCK_REALTIME, stage columns in µs from the arrival',
    ]);
  });

  it('has one line per packet under its headings', () => {
    expect(lines.slice(3, 9)).toEqual([
      '      # arrival              ±              how                 irq   vec cpu  q flow                                              entry        isr     driver      stack',
      '     t1 1790000000.000001007 -3.1µs         own-irq 1/2          25  0x25   1  0 vlan 42 10.0.0.2:1000 → 10.0.0.1:9999 UDP        +0.000     +0.400     +4.000     +6.500',
      '     t2 1790000000.000005507 ?              no-irq                -     -   0  - ethertype 0x88cc                                      -          -     +0.000          -',
      '     t3 1790000000.000001007 -3.1µs+5.0µs   batch? 2/2           25  0x25   1  - 10.0.0.2:1000 → 10.0.0.1:9999 UDP                +0.000     +0.400     +5.000          -',
      '     t4 1790000000.000012007 ?              polled?              25     -   1  0 10.0.0.2:1000 → 10.0.0.1:9999 UDP                     -          -     +0.000          -',
      '     t5 1790000000.000013007 ?              unknown               -     -   0  - ethertype 0x88cc                                      -          -     +0.000          -',
    ]);
  });

  it('has one line per interrupt under headings of their own', () => {
    const heading = render(textFormat, interrupts)[3] ?? '';
    expect(lines.slice(9, 11)).toEqual([
      '     i1 1790000000.000001007   25  0x25   1   8193     +0.100     +0.400     +1.600',
      '     i2 1790000000.000001407   25     -   1      -          -     +0.000     +1.200',
    ]);
    expect(heading).toMatch(/^ +# time +irq +vec cpu +NAPI +claim +isr +exit$/);
    for (const line of lines.slice(9, 11)) expect(line.length).toBe(heading.length);
  });

  it('ends with what was lost, the counts, and on what ground each class stands', () => {
    expect(lines.slice(11)).toEqual([
      '*** lost 3: ring_full on CPU 1, between 1790000000.000002007 and 1790000000.000009007',
      '*** lost 1: missed, between 1790000000.000000007 and 1790000000.000020007',
      '5 packets stamped · 1 by its own interrupt, 1 in a batch (1 probable), 1 polled (1 probable), 1 without an interrupt, 1 unmatched · 2 interrupts · 4 lost',
      'lost 1 events: missed',
      'lost 3 packets: ring_full on CPU 1',
      'width of the error bars: own-irq median 3.1µs, max 3.1µs; batch median 8.1µs, max 8.1µs; not known for 3 packets',
      'a class with ?: probable, the evidence leaves another way',
      'own-irq: first packet of the poll that this interrupt led to; only packets raise it, and it came too late to be left over from an earlier one: arrived not after it',
      'batch: found behind the first packet by the poll behind this interrupt; that it led to this poll is inferred',
      'polled: no interrupt was found for this poll: arrived not after its driver stamp',
      'no-irq: the interface has no interrupts: stamped at the first stage there is',
      'unknown: the trace began or ended in the middle of its poll, so its interrupt is not known: arrived not after its driver stamp',
    ]);
  });
});

describe('the tree format', () => {
  it('puts packets under the interrupt that brought them, also when polls of two CPUs mix', () => {
    expect(render(treeFormat).slice(2, 20)).toEqual([
      'CLOCK_REALTIME, each stage in ns from the one before it',
      '1790000000.000001007 irq 25 vector 0x25 cpu 1 queue 0',
      '  entry        0',
      '  isr       +400',
      '    t1 1790000000.000001007 -3.1µs own-irq 1/2  vlan 42 10.0.0.2:1000 → 10.0.0.1:9999 UDP',
      '      driver +3600  stack +2500  = 6500 ns',
      '1790000000.000005507 no interrupt of its own cpu 0 queue -',
      '    t2 1790000000.000005507 ? no-irq  ethertype 0x88cc',
      '      driver 0  = 0 ns',
      '1790000000.000001007 irq 25 vector 0x25 cpu 1 queue - goes on',
      '    t3 1790000000.000001007 -3.1µs+5.0µs batch? 2/2  10.0.0.2:1000 → 10.0.0.1:9999 UDP',
      '      driver +4600  = 5000 ns',
      '1790000000.000012007 no interrupt of its own (line of irq 25) cpu 1 queue 0',
      '    t4 1790000000.000012007 ? polled?  10.0.0.2:1000 → 10.0.0.1:9999 UDP',
      '      driver 0  = 0 ns',
      '1790000000.000013007 no interrupt of its own cpu 0 queue -',
      '    t5 1790000000.000013007 ? unknown  ethertype 0x88cc',
      '      driver 0  = 0 ns',
    ]);
  });

  it('has the headings of interrupts where it prints those', () => {
    expect(render(treeFormat, interrupts)[3]).toBe(render(textFormat, interrupts)[3]);
  });
});

describe('the times format', () => {
  it('is one arrival per line and nothing else', () => {
    const arrivals = [1000, 5500, 1000, 12_000, 13_000, 1000, 1400];
    const text = arrivals.map((at) => {
      const time = ZERO + BigInt(at);
      return `${time / 1_000_000_000n}.${String(time % 1_000_000_000n).padStart(9, '0')}`;
    });
    expect(render(timesFormat)).toEqual(text);
  });
});

describe('the NDJSON format', () => {
  const lines = render(ndjsonFormat);
  const parsed = lines.map((line) => JSON.parse(line) as Record<string, unknown>);

  it('is one JSON object per line: meta first, summary last', () => {
    expect(parsed.map((line) => line['type'])).toEqual([
      'meta',
      ...Array<string>(5).fill('packet'),
      'interrupt',
      'interrupt',
      'loss',
      'loss',
      'summary',
    ]);
  });

  it('keeps every nanosecond of CLOCK_REALTIME, which a JSON number would not', () => {
    const wanted = [1000, 5500, 1000, 12_000, 13_000].map((at) => ZERO + BigInt(at));
    const arrivals = parsed.slice(1, 6).map((line) => BigInt(line['arrival'] as string));
    expect(arrivals).toEqual(wanted);
    expect(wanted.map((time) => BigInt(Number(time)))).not.toEqual(wanted);
  });

  it('tells a packet’s place, interrupt, flow and stages', () => {
    expect(parsed[1]).toEqual({
      type: 'packet',
      number: 1,
      arrival: '1790000000000001007',
      stage: 'entry',
      how: 'own-irq',
      certain: true,
      ground:
        'first packet of the poll that this interrupt led to; only packets raise it, and it came too late to be left over from an earlier one: arrived not after it',
      notBefore: -3100,
      notAfter: 0,
      via: [],
      batch: [1, 2],
      napi: 8193,
      pid: 0,
      irq: 25,
      vector: 0x25,
      irqCpu: 1,
      cpu: 1,
      queue: 0,
      length: 28,
      flow: {
        ethertype: 0x0800,
        vlan: 42,
        family: 'IPv4',
        protocol: 17,
        source: '10.0.0.2',
        destination: '10.0.0.1',
        sourcePort: 1000,
        destinationPort: 9999,
      },
      stages: { entry: 0, isr: 400, driver: 4000, stack: 6500 },
      deltas: { isr: 400, driver: 3600, stack: 2500 },
      total: 6500,
    });
  });

  it('gives a polled packet the line that serves its NAPI, and no vector of it', () => {
    expect(parsed[4]).toMatchObject({ how: 'polled', irq: 25, pid: 17 });
    expect(parsed[4]).not.toHaveProperty('vector');
    expect(parsed[4]).not.toHaveProperty('irqCpu');
  });

  it('tells what is not known as null', () => {
    expect(parsed[2]).toMatchObject({ how: 'no-irq', notBefore: null, notAfter: 0, certain: true });
    expect(parsed[7]).toEqual({
      type: 'interrupt',
      number: 2,
      time: '1790000000000001407',
      stage: 'isr',
      irq: 25,
      vector: null,
      cpu: 1,
      napi: null,
      claim: null,
      isr: 0,
      exit: 1200,
    });
    expect(parsed[9]).toMatchObject({ type: 'loss', cause: 'missed', cpu: null });
  });

  it('sums up', () => {
    const none = { count: 0, median: null, max: null };
    expect(parsed[10]).toEqual({
      type: 'summary',
      packets: 5,
      seen: 5,
      certain: { 'own-irq': 1, batch: 0, repoll: 0, polled: 0, 'busy-poll': 0, 'no-irq': 1, unknown: 0 },
      widths: {
        ...Object.fromEntries(HOW_NAMES.map((name) => [name, { ...none, unknown: 0 }])),
        ...Object.fromEntries(['polled', 'no-irq', 'unknown'].map((name) => [name, { ...none, unknown: 1 }])),
        'own-irq': { count: 1, unknown: 0, median: 3100, max: 3100 },
        batch: { count: 1, unknown: 0, median: 8100, max: 8100 },
      },
      how: { 'own-irq': 1, batch: 1, repoll: 0, polled: 1, 'busy-poll': 0, 'no-irq': 1, unknown: 1 },
      interrupts: 2,
      bytes: 28 * 3 + 60 * 2,
      records: 0,
      ambiguous: 0,
      outOfOrder: 0,
      lost: 4,
      packetsLost: 3,
      losses: [
        { cause: 'missed', cpu: null, count: 1 },
        { cause: 'ring_full', cpu: 1, count: 3 },
      ],
    });
  });
});

describe('the CSV format', () => {
  it('has as many cells in every row as headings', () => {
    const [heading = '', ...rows] = render(csvFormat).slice(0, 6);
    const columns = heading.split(',');
    expect(columns).toEqual(expect.arrayContaining(SHOWN.map((stage) => `${stage}_ns`)));
    expect(rows.map((row) => row.split(',').length)).toEqual(rows.map(() => columns.length));
    const [interruptHeading = '', ...all] = render(csvFormat, interrupts);
    const interruptRows = all.slice(5);
    expect(interruptRows.map((row) => row.split(',').length)).toEqual(
      interruptRows.map(() => interruptHeading.split(',').length),
    );
  });

  it('leaves empty what is not known', () => {
    expect(render(csvFormat).slice(1, 6)).toEqual([
      '1,1790000000000001007,entry,own-irq,1,2,25,37,1,1,0,28,IPv4,17,10.0.0.2,1000,10.0.0.1,9999,42,1,-3100,0,,0,400,4000,6500',
      '2,1790000000000005507,driver,no-irq,,,,,,0,,60,,,,,,,,1,,0,,,,0,',
      '3,1790000000000001007,entry,batch,2,2,25,37,1,1,,28,IPv4,17,10.0.0.2,1000,10.0.0.1,9999,,0,-3100,5000,,0,400,5000,',
      '4,1790000000000012007,driver,polled,1,1,25,,,1,0,28,IPv4,17,10.0.0.2,1000,10.0.0.1,9999,,0,,0,,,,0,',
      '5,1790000000000013007,driver,unknown,,,,,,0,,60,,,,,,,,0,,0,,,,0,',
    ]);
  });
});

describe('a trace to the end of the way', () => {
  it('says in text how every way ended, and sums up', () => {
    const lines = renderWays(textFormat);
    expect(lines[3]).toMatch(/ driver +stack +socket +read +drop end of its way$/);
    const ends = lines.slice(4, 14).map((line) => line.slice(lines[3]!.length - 'end of its way'.length));
    expect(ends).toEqual([
      'read by serve, "fast"[812/815], 100 B',
      'dropped: NO_SOCKET',
      'merged into t1, read by serve, "fast"[812/815]',
      'merged, dropped: NO_SOCKET',
      'dropped, with t4',
      'queued, woke [9]',
      'closed unread',
      'kernel',
      'forwarded',
      '-',
    ]);
    expect(lines.slice(15, 17)).toEqual([
      'ways: 1 read, 2 dropped (1 no reason given, 1 NO_SOCKET), 2 merged, 1 queued unread, 1 closed unread, 1 for the kernel itself, 1 forwarded, 1 not seen to the end',
      '1 stamp came after the packet was shown: --wait holds packets longer',
    ]);
  });

  it('has every step to the reader and to the drop in the tree', () => {
    const lines = renderWays(treeFormat).filter((line) => line.startsWith('      '));
    expect(lines.slice(0, 2)).toEqual([
      '      driver 0  stack +200  socket +300  read +8500  = 9000 ns  read by serve, "fast"[812/815], 100 B',
      '      driver 0  stack +200  drop +100  = 300 ns  dropped: NO_SOCKET',
    ]);
  });

  it('gives programs the same, with the numbers of merged packets on the side that knows', () => {
    const packets = renderWays(ndjsonFormat)
      .slice(1, -1)
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const reader = { pid: 812, tid: 815, name: 'serve, "fast"', bytes: 100 };
    expect(packets.map((packet) => packet['fate']).join(' ')).toBe(
      'read dropped merged merged dropped queued closed kernel forwarded open',
    );
    expect(packets[0]).toMatchObject({ reader, woken: { tid: 815, name: 'serve, "fast"' } });
    expect(packets[1]).toMatchObject({ dropReason: 'NO_SOCKET' });
    expect(packets[2]).toMatchObject({ mergedInto: 1, reader: { ...reader, bytes: 0 } });
    expect(packets[3]).toMatchObject({ mergedInto: null, dropReason: 'NO_SOCKET' });
    expect(packets[4]).toMatchObject({ mergedFrom: [4], dropReason: null });
    expect(packets[5]).toMatchObject({ woken: { tid: 9, name: null } });
    for (const [index, packet] of packets.entries()) {
      expect('reader' in packet).toBe(index === 0 || index === 2);
      expect('mergedInto' in packet).toBe(index === 2 || index === 3);
      expect('mergedFrom' in packet).toBe(index === 4);
    }
  });

  it('keeps the columns of CSV whatever a process calls itself', () => {
    const [heading = '', ...rows] = renderWays(csvFormat);
    const at = heading.split(',').indexOf('fate');
    const ends = rows.map((row) =>
      row
        .replace(/"(?:[^"]|"")*"/g, '"NAME"')
        .split(',')
        .slice(at)
        .join(','),
    );
    expect(rows[0]).toContain(',"serve, ""fast""",');
    expect(heading.split(',').slice(at).join(',')).toBe(
      'fate,woken_tid,reader_pid,reader_tid,reader_name,read_bytes,drop_reason,merged_into,merged_from',
    );
    expect(ends.slice(0, 6)).toEqual([
      'read,815,812,815,"NAME",100,,,',
      'dropped,,,,,,NO_SOCKET,,',
      'merged,,812,815,"NAME",0,,1,',
      'merged,,,,,,NO_SOCKET,,',
      'dropped,,,,,,,,4',
      'queued,9,,,,,,,',
    ]);
  });

  it('says nothing about ends where the trace does not look that far', () => {
    expect(render(textFormat).join('\n')).not.toContain('ways:');
    expect(render(ndjsonFormat)[1]).not.toContain('"fate"');
    expect(render(csvFormat)[0]).not.toContain('fate');
  });
});

describe('every format', () => {
  it.each(Object.entries(FORMATS))('ends all its lines: %s', (_, maker) => {
    expect(render(maker).every((line) => line.length > 0 && !/undefined|NaN/.test(line))).toBe(true);
  });
});
