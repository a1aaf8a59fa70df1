/** Pages of a real ring buffer (test/kernels), against what the kernel itself printed of them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Lane } from '../../record/lane.js';
import type { InterruptRecord } from '../../record/source.js';
import { packageRoot } from '../../sys/package.js';
import { type PageLayout, lostBefore, parsePageLayout, walkPage } from '../../sys/trace-pages.js';
import { EventFields, parseEventFormat } from '../../sys/tracefs-format.js';
import { Assembler } from '../events/assembler.js';
import { EVENTS } from '../events/table.js';

interface Recorded {
  readonly header: string;
  readonly formats: Readonly<Record<string, string>>;
  readonly pages: readonly {
    readonly part: string;
    readonly cpu: number;
    /** As the CPU's counters had it. */
    readonly lost: number;
    /** Up to its last event, and the count of lost ones behind that. */
    readonly page: string;
    /** `8.485025 0 irq_handler_entry irq=32`: seconds, thread, event, fields. */
    readonly text: readonly string[];
  }[];
}

const RECORDED: Recorded = JSON.parse(
  readFileSync(join(packageRoot, 'test/kernels/6.12-trace-pages.json'), 'utf8'),
);
const LAYOUT = parsePageLayout(RECORDED.header) as PageLayout;
const FIELDS = new Map(
  Object.entries(RECORDED.formats).map(([event, text]) => {
    const format = parseEventFormat(text);
    return [format.id, { event: event.replace('/', ':'), fields: new EventFields(format) }];
  }),
);

function pageOf(part: string, cpu: number) {
  const found = RECORDED.pages.find((one) => one.part === part && one.cpu === cpu);
  const bytes = Buffer.from(found?.page ?? '', 'base64');
  return { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length), text: found?.text ?? [] };
}

type Visit = (event: string, time: number, fields: EventFields) => void;

function walk(view: DataView, visit: Visit): boolean {
  return walkPage(view, LAYOUT, 0n, (time, start, length) => {
    const known = FIELDS.get(view.getUint16(start, true));
    expect(known?.fields.at(view, start, length)).toBe(true);
    if (known !== undefined) visit(known.event, time, known.fields);
  });
}

/** An event as the kernel prints it: microseconds, rounded. */
function print(event: string, time: number, fields: EventFields, like: string): string {
  const microseconds = Math.round(time / 1000);
  const seconds = `${Math.floor(microseconds / 1e6)}.${String(microseconds % 1e6).padStart(6, '0')}`;
  const names = [...like.matchAll(/(\w+)=/g)].map((match) => match[1] as string);
  const told = names.map((name) => `${name}=${fields.text(name) || fields.number(name)}`);
  return [seconds, fields.pid, event.replace(/.*:/, ''), ...told].join(' ');
}

describe('recorded pages', () => {
  it.each(RECORDED.pages.map(({ part, cpu }) => ({ part, cpu })))(
    'say what the kernel printed of them: $part, CPU $cpu',
    ({ part, cpu }) => {
      const { view, text } = pageOf(part, cpu);
      const events: string[] = [];
      const whole = walk(view, (event, time, fields) =>
        events.push(print(event, time, fields, text[events.length] ?? '')),
      );
      expect(whole).toBe(true);
      expect(events.length).toBeGreaterThan(10);
      expect(events).toEqual(text.slice(0, events.length));
      // Only the page of the buffer that ran over is not all that there was.
      if (part !== 'lost') expect(events).toHaveLength(text.length);
    },
  );

  it('say how many events were lost in front of them, as the counters did', () => {
    for (const { part, cpu, lost } of RECORDED.pages)
      expect(lostBefore(pageOf(part, cpu).view, LAYOUT), part).toBe(lost);
    expect(RECORDED.pages.some(({ lost }) => lost > 0)).toBe(true);
  });

  it('become interrupts, packets and polls', () => {
    const lanes = [new Lane(0), new Lane(1)];
    const interrupts: InterruptRecord[] = [];
    let stacked = 0;
    const sink = {
      lanes,
      onInterrupt: (one: InterruptRecord) => interrupts.push(one),
      onLater: () => void stacked++,
    };
    const into = new Assembler(sink, {
      ifindex: 2,
      irqs: [31, 32].map((irq) => ({ irq, ifindex: 2, queue: irq - 31 })),
      oneQueue: true,
      names: new Map([['eth0', 2]]),
      lastOfInterrupt: 'exit',
    });
    const printed = (event: string): number =>
      [0, 1].flatMap((cpu) => pageOf('whole', cpu).text).filter((line) => line.includes(event)).length;
    for (const cpu of [0, 1]) {
      walk(pageOf('whole', cpu).view, (event, time, fields) => EVENTS[event]?.(into, cpu, time, fields));
    }
    expect(interrupts).toHaveLength(printed('irq_handler_exit'));
    expect(new Set(interrupts.map(({ irq, cpu }) => `${irq} on ${cpu}`))).toEqual(
      new Set(['32 on 0', '31 on 1']),
    );
    for (const { isr, exit } of interrupts) expect(exit).toBeGreaterThan(isr);
    expect(lanes.reduce((sum, lane) => sum + lane.count, 0)).toBe(printed('napi_gro_receive_entry'));
    expect(stacked).toBe(printed('netif_receive_skb'));
    expect(lanes.map((lane) => lane.pollCount).every((count) => count > 0)).toBe(true);
  });
});
