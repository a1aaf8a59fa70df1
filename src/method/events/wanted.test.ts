import { describe, expect, it } from 'vitest';
import { eventWays, wantedEvents } from './wanted.js';

const ASKED = {
  irqs: [
    { irq: 25, ifindex: 2, queue: 0 },
    { irq: 27, ifindex: 2, queue: 2 },
  ],
  irqOnly: false,
  interrupts: false,
  interfaces: [{ name: 'eth0', ifindex: 2, driver: 'igb' }],
  until: 'driver',
} as const;

const filters = (asked: Partial<Parameters<typeof wantedEvents>[0]>, oneQueue = false): [string, unknown][] =>
  wantedEvents({ ...ASKED, ...asked }, oneQueue).map(({ name, filter }) => [name, filter]);

describe('the events that are wanted', () => {
  it('are filtered by line and interface; napi_poll is switched on last', () => {
    expect(filters({})).toEqual([
      ['irq:irq_handler_entry', 'irq==25||irq==27'],
      ['irq:irq_handler_exit', 'irq==25||irq==27'],
      ['irq:softirq_raise', 'vec==3'],
      ['irq:softirq_entry', 'vec==3'],
      ['irq:softirq_exit', 'vec==3'],
      ['net:napi_gro_receive_entry', 'name=="eth0"'],
      ['net:napi_gro_frags_entry', 'name=="eth0"'],
      ['net:netif_receive_skb_entry', 'name=="eth0"'],
      ['net:netif_receive_skb_list_entry', 'name=="eth0"'],
      ['net:netif_rx_entry', 'name=="eth0"'],
      ['napi:napi_poll', 'dev_name=="eth0"'],
    ]);
  });

  it('have the queues of the lines that were asked for, unless the interface has but one', () => {
    const of = (oneQueue: boolean): unknown =>
      new Map(filters({ irqOnly: true, until: 'stack' }, oneQueue)).get('net:napi_gro_receive_entry');
    expect(of(false)).toBe('(name=="eth0")&&(queue_mapping==1||queue_mapping==3)');
    expect(of(true)).toBe('name=="eth0"');
    expect(new Map(filters({ irqOnly: true, until: 'stack' })).get('net:netif_receive_skb')).toBe(
      'name=="eth0"',
    );
  });

  it('are the handler’s alone for interrupts, and the packets’ alone without any', () => {
    expect(filters({ interrupts: true }).map(([name]) => name)).toEqual([
      'irq:irq_handler_entry',
      'irq:irq_handler_exit',
    ]);
    expect(filters({ irqs: [] }).every(([name]) => name.startsWith('net:'))).toBe(true);
  });

  it('quote names as the kernel reads them', () => {
    const of = (...names: string[]): unknown =>
      filters({ irqs: [], interfaces: names.map((name) => ({ name, ifindex: 1, driver: undefined })) })[0];
    expect(of('a', 'b')).toEqual(['net:napi_gro_receive_entry', 'name=="a"||name=="b"']);
    expect(of('a"b')).toEqual(['net:napi_gro_receive_entry', "name=='a\"b'"]);
    expect(of('a"b\'c')).toEqual(['net:napi_gro_receive_entry', undefined]);
  });
});

describe('the stages that events stamp', () => {
  it('are those up to the one that was asked for, with reasons for the others', () => {
    const asked = { ...ASKED, until: 'stack' } as const;
    const ways = eventWays(asked, wantedEvents(asked, false), 'tracepoint');
    expect(ways.map(({ stage, hook }) => [stage, hook !== undefined])).toEqual([
      ['entry', false],
      ['isr', true],
      ['raise', true],
      ['softirq', true],
      ['poll', false],
      ['driver', true],
      ['stack', true],
    ]);
    expect(ways.every(({ hook, reasons }) => hook !== undefined || reasons.length === 1)).toBe(true);
    const interrupts = { ...ASKED, interrupts: true } as const;
    const two = eventWays(interrupts, wantedEvents(interrupts, false), 'tracepoint');
    expect(two.map(({ stage }) => stage)).toEqual(['entry', 'isr']);
  });
});
