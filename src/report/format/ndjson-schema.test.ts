import { Ajv2020 } from 'ajv/dist/2020.js';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { addPacket, closePoll } from '../../../test/support/lanes.js';
import { META, render, renderWays } from '../../../test/support/sample-trace.js';
import { Timeline } from '../../base/time.js';
import { HOW_NAMES, PacketCursor, classify } from '../../packet/arrival.js';
import { Lane } from '../../record/lane.js';
import { LOSS_CAUSES } from '../../record/loss.js';
import { STAGE_NAMES } from '../../stages.js';
import { CONTEXT_WORDS, FATE_NAMES } from '../words.js';
import { SCHEMA_VERSION, ndjsonFormat } from './ndjson.js';

interface Schema {
  readonly $defs: {
    readonly stage: { readonly enum: readonly string[] };
    readonly cause: { readonly enum: readonly string[] };
    readonly meta: { readonly properties: { readonly schema: { readonly const: number } } };
    readonly packet: {
      readonly properties: Readonly<Record<'how' | 'fate', { readonly enum: readonly string[] }>> & {
        readonly via: { readonly items: { readonly enum: readonly string[] } };
      };
    };
  };
}

const text = readFileSync(new URL('../../../docs/ndjson.schema.json', import.meta.url), 'utf8');
const schema = JSON.parse(text) as Schema;
const validate = new Ajv2020({
  allErrors: true,
  strict: true,
  strictTypes: false,
  strictRequired: false,
}).compile(schema);

/** What is wrong with a line, '' when nothing is. */
function wrong(line: string): string {
  return validate(JSON.parse(line)) ? '' : `${line}\n${JSON.stringify(validate.errors)}`;
}

describe('docs/ndjson.schema.json', () => {
  it('accepts every line of a trace', () => {
    const narrowed = {
      ...META,
      filter: {
        irqs: [25],
        queue: 0,
        cpus: [0, 1],
        count: 5,
        durationNs: 1,
        interrupts: true,
        slower: { from: 'isr', to: 'driver', ns: 5 },
        pids: [1],
      },
    };
    for (const line of [
      ...render(ndjsonFormat),
      ...render(ndjsonFormat, narrowed),
      ...renderWays(ndjsonFormat),
      ...render(ndjsonFormat, { ...META, on: 'br0 (bridge): packets are stamped at eth0' }),
      ndjsonFormat(new Timeline(5n), ['driver']).note!(7, {
        what: 'affinity',
        text: 'IRQ 31 may go to CPU 0 now (was 1)',
        interface: 'eth0',
        irq: 31,
        cpus: [0],
      }),
    ])
      expect(wrong(line)).toBe('');
  });

  it('accepts a packet that the NIC stamped, with what the kernel alone would have said', () => {
    const lane = new Lane(1);
    addPacket(lane, { driver: 5000, hardware: 700, hardwareError: 30 });
    closePoll(lane, { irq: 25, packets: 1, end: 9000, times: { entry: 1000, isr: 1400 } });
    const cursor = Object.assign(new PacketCursor(), { lane, row: 0 });
    classify(cursor);
    const line = ndjsonFormat(new Timeline(1000n), STAGE_NAMES).packet(cursor, 1);
    expect(wrong(line)).toBe('');
    expect(JSON.parse(line)).toMatchObject({
      arrival: '1700',
      stage: 'hw',
      notBefore: -30,
      notAfter: 30,
      software: { stage: 'entry', arrival: 300, notBefore: null, notAfter: 4300 },
      stages: { hw: 0, entry: 300, isr: 700, driver: 4300 },
      deltas: { entry: 300, isr: 400, driver: 3600 },
      total: 4300,
    });
  });

  it('has the stages, classes, causes and the version of the code', () => {
    const { $defs } = schema;
    expect($defs.stage.enum).toEqual(STAGE_NAMES);
    expect($defs.packet.properties.how.enum).toEqual(HOW_NAMES);
    expect([...$defs.cause.enum].sort()).toEqual(Object.keys(LOSS_CAUSES).sort());
    expect($defs.meta.properties.schema.const).toBe(SCHEMA_VERSION);
  });

  it('refuses a time that is a number, a class that there is not, and a vector without its interrupt', () => {
    const [, packet = '', , , , , , , loss = ''] = render(ndjsonFormat);
    expect(wrong(packet)).toBe('');
    for (const [from, to] of [
      ['"arrival":"1790000000000001007"', '"arrival":1790000000000001007'],
      ['"how":"own-irq"', '"how":"irq"'],
      ['"irq":25,"vector":37', '"vector":37'],
      ['"queue":0,', ''],
      ['"driver":4000', '"nirq":4000'],
    ] as const) {
      expect(packet).toContain(from);
      expect(wrong(packet.replace(from, to))).not.toBe('');
    }
    expect(wrong(loss.replace('"count":3', '"count":0'))).not.toBe('');
  });

  it('has the ends of ways and the context words of the code, and asks for what an end must say', () => {
    const { fate, via } = schema.$defs.packet.properties;
    expect(fate.enum).toEqual(FATE_NAMES);
    expect(via.items.enum).toEqual(CONTEXT_WORDS);
    const [, read = '', dropped = '', merged = ''] = renderWays(ndjsonFormat);
    expect([wrong(read), wrong(dropped), wrong(merged)]).toEqual(['', '', '']);
    expect(wrong(read.replace('"reader"', '"readers"'))).not.toBe('');
    expect(wrong(read.replace('"notBefore":null', '"notBefore":"1"'))).not.toBe('');
    expect(wrong(dropped.replace('"dropReason"', '"drop"'))).not.toBe('');
    expect(wrong(merged.replace('"mergedInto":1', '"mergedInto":"1"'))).not.toBe('');
    expect(wrong(merged.replace('"merged"', '"melted"'))).not.toBe('');
  });

  it('describes every field that a line has', () => {
    const properties = (type: string): string[] => {
      const found = (schema.$defs as Record<string, { properties?: object }>)[type]?.properties;
      return Object.keys(found ?? {});
    };
    for (const line of [...render(ndjsonFormat), ...renderWays(ndjsonFormat)]) {
      const parsed = JSON.parse(line) as { type: string };
      expect(properties(parsed.type)).toEqual(expect.arrayContaining(Object.keys(parsed)));
    }
  });
});
