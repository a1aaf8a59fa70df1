import { describe, expect, it } from 'vitest';
import type { Loss } from '../../record/loss.js';
import type { InterruptRecord } from '../../record/source.js';
import { FakeInstance } from '../../../test/support/fake-instance.js';
import type { ProbeGroup } from '../../sys/trace-probes.js';
import type { MethodRequest } from '../method.js';
import type { IrqPlace } from './places.js';
import { ProbeSource } from './probe-source.js';

const REQUEST: MethodRequest = {
  until: 'driver',
  ifindex: 2,
  irqs: [
    { irq: 25, ifindex: 2, queue: 0 },
    { irq: 26, ifindex: 2, queue: 1 },
  ],
  irqOnly: true,
  oneQueue: true,
  queue: undefined,
  cpus: undefined,
  interrupts: true,
  ringBytes: 65_536,
  pages: false,
  interfaces: [{ name: 'eth0', ifindex: 2, driver: 'igb' }],
};

function start(entry = true) {
  const instance = new FakeInstance({ 'g/entry': ['vector'], 'g/flow': ['irq'] });
  const places = new Map<number, IrqPlace>([
    [25, { cpu: 0, vector: 35 }],
    [26, { cpu: 1, vector: 35 }],
  ]);
  let missed = 0;
  const probes = {
    missed: () => missed,
    remove: () => void instance.asked.push('remove probes'),
  } as unknown as ProbeGroup;
  const source = new ProbeSource(
    'kprobe',
    instance.door,
    {
      probes,
      entry: entry ? 'g/entry' : undefined,
      flows: ['g/flow'],
      ways: [],
      programs: [],
      notes: [],
      places: () => new Map(places),
      close: () => void instance.asked.push('close places'),
    },
    REQUEST,
  );
  const interrupts: InterruptRecord[] = [];
  const losses: Loss[] = [];
  source.onInterrupt = (interrupt) => interrupts.push(interrupt);
  source.onLoss = (loss) => losses.push(loss);
  const miss = (count: number): void => void (missed += count);
  return { instance, places, source, interrupts, losses, miss };
}

const brief = ({ irq, vector, cpu, entry, claim }: InterruptRecord): readonly number[] => [
  irq,
  vector,
  cpu,
  entry,
  claim,
];

describe('interrupts by two probes', () => {
  it('has both filtered in the kernel, the entry first', () => {
    expect(start().instance.asked).toEqual([
      'filter g/entry (CPU==0&&vector==35)||(CPU==1&&vector==35)',
      'enable g/entry',
      'filter g/flow irq==25||irq==26',
      'enable g/flow',
    ]);
  });

  it('joins the entry that knows the vector with the flow handler that knows the line, CPU by CPU', () => {
    const { instance, source, interrupts } = start();
    instance.put(0, 100, 'g/entry', 35);
    instance.put(1, 101, 'g/entry', 35);
    instance.put(0, 103, 'g/flow', 25);
    source.drain();
    instance.put(1, 104, 'g/flow', 26);
    source.drain();
    expect(interrupts.map(brief)).toEqual([
      [25, 35, 0, 100, 103],
      [26, 35, 1, 101, 104],
    ]);
  });

  it('does not take the entry of another interrupt after a vector has moved, and filters anew', () => {
    const { instance, source, interrupts, places } = start();
    places.set(25, { cpu: 1, vector: 40 });
    instance.put(0, 100, 'g/entry', 35); // somebody else has that vector now
    instance.put(1, 200, 'g/flow', 25);
    source.drain();
    expect(interrupts.map(brief)).toEqual([[25, 0, 1, 200, NaN]]);
    expect(instance.asked.at(-1)).toBe('filter g/entry (CPU==1&&vector==40)||(CPU==1&&vector==35)');
    instance.put(1, 300, 'g/entry', 40);
    instance.put(1, 303, 'g/flow', 25);
    source.drain();
    expect(interrupts.slice(1).map(brief)).toEqual([[25, 40, 1, 300, 303]]);
    expect(instance.asked.filter((line) => line.startsWith('filter g/entry'))).toHaveLength(2);
  });

  it('looks again after an entry without its flow handler', () => {
    const { instance, source, places } = start();
    places.set(25, { cpu: 0, vector: 41 });
    instance.put(0, 100, 'g/entry', 35);
    instance.put(0, 110, 'g/entry', 35);
    source.drain();
    expect(instance.asked.at(-1)).toContain('(CPU==0&&vector==41)');
  });

  it('ties nothing across a gap, and counts what is missing', () => {
    const { instance, source, interrupts, losses, miss } = start();
    instance.put(0, 100, 'g/entry', 35);
    instance.lose(0, 7);
    instance.put(0, 203, 'g/flow', 25);
    source.drain();
    expect(interrupts.map(brief)).toEqual([[25, 0, 0, 203, NaN]]);
    instance.lose(1, undefined);
    miss(3);
    instance.counters.set(0, { overwritten: 7, refused: 2 }).set(1, { overwritten: 5, refused: 0 });
    source.stop();
    source.drain();
    source.drain();
    expect(losses.map(({ cause, cpu, count }) => [cause, cpu, count])).toEqual([
      ['events_lost', 0, 7],
      ['events_lost', 0, 2],
      ['events_lost', 1, 5],
      ['probe_missed', -1, 3],
    ]);
  });

  it('does with flow handlers alone where no vector is known', () => {
    const { instance, source, interrupts } = start(false);
    expect(instance.asked).toEqual(['filter g/flow irq==25||irq==26', 'enable g/flow']);
    instance.put(0, 103, 'g/flow', 25);
    source.drain();
    expect(interrupts.map(brief)).toEqual([[25, 0, 0, 103, NaN]]);
    expect(instance.asked).toHaveLength(2);
  });

  it('counts what it does not understand', () => {
    const { instance, source, losses } = start();
    instance.put(0, 100, 'g/entry');
    source.drain();
    expect(losses).toMatchObject([{ cause: 'not_understood', cpu: 0, count: 1 }]);
  });

  it('takes instance, probes and all away, once', () => {
    const { instance, source } = start();
    source.close();
    source.close();
    expect(instance.asked.slice(4)).toEqual(['disable', 'remove', 'close places', 'remove probes']);
  });
});
