/** A million damaged lines, the same ones every time: none may crash or hang the import, and each is in one of the counts. */
import { expect, it } from 'vitest';
import { Joiner } from '../packet/join.js';
import { PacketCursor } from '../packet/arrival.js';
import { TEXT_FORMATS, detect } from './formats.js';
import { Lines } from './lines.js';
import { ImportSource } from './source.js';

const LINES = 1_000_000;
const SAMPLES = [
  '[    6.147811] IRQ Number=31; Vector=38',
  '[    6.891603] IRQ Number=32; Vector=38; CPU=0; Time=6867915397',
  '2026-11-23T07:12:05,891804+00:00 IRQ Number=31; Vector=38; CPU=1; Time=6868135660',
  '7,1046,6870893,-;IRQ Number=32; Vector=38',
  '# entries-in-buffer/entries-written: 13/1300   #P:2',
  'CPU:1 [LOST 12 EVENTS]',
  '          <idle>-0       [001] d.h1.   100.000001: irq_handler_entry: irq=25 name=eth0-rx-0',
  '          <idle>-0       [001] dNh1.   100.000003: irq_handler_exit: irq=25 ret=handled',
  '          <idle>-0       [001] dNh1.   100.000002: softirq_raise: vec=3 [action=NET_RX]',
  '          <idle>-0       [001] .Ns1.   100.000010: napi_gro_receive_entry: dev=eth0 napi_id=0x2002 queue_mapping=1 skbaddr=00000000abcdef12 vlan_tagged=0 protocol=0x0800 hash=0x0000002a len=46',
  '          <idle>-0       [001] .Ns1.   100.000012: netif_receive_skb: dev=eth0 skbaddr=00000000abcdef12 len=46',
  '          <idle>-0       [001] .Ns1.   100.000020: napi_poll: napi poll on napi struct 0000000012345678 for device eth0 work 1 budget 64',
  '          <idle>-0     [001] d.h1. 100.000001: v: (__common_interrupt+0x4/0xa0) vector=38',
  '          <idle>-0     [001] d.h1. 100.000002: r: (handle_edge_irq+0x4/0x1f0) irq=25',
  'swapper     0 [001]   100.000001000: irq:irq_handler_entry: irq=25 name=eth0-rx-0',
  ' my prog   812/815 [000]   100.000001500: irq:irq_handler_exit: irq=26 ret=handled',
  'swapper     0 [001]   100.000004000: PERF_RECORD_LOST lost 7',
  'irq 25 vec 38 cpu 1 time 123456789012',
  'Lost 4 events',
];
/** Bytes that mean something to one of the formats, and some that mean nothing to any. */
const BYTES = '0123456789.:;=-[]()<>/# \t\r,xIRQeirqvec\u0000\u00ff+Z';

/** xorshift32: fast, and the same everywhere. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

function damaged(line: string, below: (limit: number) => number): string {
  let text = line;
  for (let times = below(4); times >= 0; times--) {
    const at = below(text.length + 1);
    const byte = BYTES.charAt(below(BYTES.length));
    switch (below(6)) {
      case 0:
        text = text.slice(0, at) + byte + text.slice(at + 1);
        break;
      case 1:
        text = text.slice(0, at) + byte + text.slice(at);
        break;
      case 2:
        text = text.slice(0, at) + text.slice(at + 1 + below(8));
        break;
      case 3:
        text = text.slice(0, at);
        break;
      case 4:
        text = text.slice(0, at) + byte.repeat(below(60)) + text.slice(at);
        break;
      default: {
        const other = SAMPLES[below(SAMPLES.length)] as string;
        text = text.slice(0, at) + other.slice(below(other.length));
      }
    }
  }
  return text;
}

it('every damaged line is used, about something else, or counted as not understood', () => {
  const below = random(20_261_123);
  const total = { used: 0, malformed: 0, lost: 0 };
  for (const format of TEXT_FORMATS.filter(({ name }) => name !== 'trace-cmd')) {
    const source = new ImportSource(format, format.reader(), false);
    const joiner = new Joiner(source, 'stack');
    const cursor = new PacketCursor();
    let lines = 0;
    let lost = 0;
    let told = 0;
    source.onInterrupt = () => told++;
    source.onLoss = ({ cause, count }) => {
      if (cause === 'not_understood') lost += count;
    };
    const turn = (final: boolean): void => {
      source.drain();
      joiner.begin(final);
      while (joiner.next(cursor, final)) told++;
      joiner.end();
    };
    const cutter = new Lines((line) => source.line(line));
    for (let left = LINES / 4; left > 0; left -= 1000) {
      const batch = Array.from({ length: 1000 }, () =>
        damaged(SAMPLES[below(SAMPLES.length)] as string, below).replaceAll('\n', ' '),
      );
      lines += batch.length;
      cutter.add(Buffer.from(`${batch.join('\n')}\n`, 'latin1'));
      turn(false);
    }
    cutter.end();
    source.end();
    turn(true);
    const { counts } = source;
    expect(counts.lines, format.name).toBe(lines);
    expect(counts.records + counts.others + counts.malformed + counts.late, format.name).toBe(lines);
    expect(lost, format.name).toBe(counts.malformed + counts.late);
    expect(source.told).toHaveLength(5);
    expect(told, format.name).toBeGreaterThan(0);
    total.used += counts.records;
    total.malformed += counts.malformed;
  }
  expect(total.used).toBeGreaterThan(LINES / 100);
  expect(total.malformed).toBeGreaterThan(LINES / 4);
});

it('finding out the format of damaged lines neither crashes nor hangs', () => {
  const below = random(4);
  for (let i = 0; i < 100; i++)
    detect(Array.from({ length: 100 }, () => damaged(SAMPLES[below(SAMPLES.length)] as string, below)));
  const long = ' '.repeat(1 << 20);
  const source = new ImportSource(TEXT_FORMATS[1]!, TEXT_FORMATS[1]!.reader(), true);
  source.line(long);
  expect(source.counts).toMatchObject({ lines: 1, malformed: 1 });
  expect(detect([long, '-'.repeat(1 << 20), '1'.repeat(1 << 20)])).toBeUndefined();
});
