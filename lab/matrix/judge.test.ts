import { describe, expect, it } from 'vitest';
import { HOOKED_STAGES, type StageName } from '../../src/stages.js';
import { SINK_PORT } from '../frames.js';
import { TCP_PORT, inOrder, judge } from './judge.js';
import type { PacketFacts, TraceFacts, Traffic } from './result.js';

const STAGES = { entry: 0, isr: 10, raise: 20, softirq: 30, poll: 40, driver: 50, stack: 60 };
const WAYS = HOOKED_STAGES.map(({ name: stage }) => ({
  stage,
  hook: 'some',
  reasons: [],
}));

function packet(more: Partial<PacketFacts> = {}): PacketFacts {
  return {
    arrival: '1000',
    how: 'own-irq',
    certain: true,
    notBefore: -100,
    notAfter: 50,
    length: 48,
    flow: { sourcePort: 1000, destinationPort: SINK_PORT },
    stages: STAGES,
    fate: 'read',
    reader: { pid: 7, bytes: 20 },
    ...more,
  };
}

const segment = packet({
  how: 'batch',
  flow: { sourcePort: 40_000, destinationPort: TCP_PORT },
  reader: { pid: 8, bytes: 100 },
});
const without = (missing: StageName) =>
  WAYS.map((way) => (way.stage === missing ? { stage: missing, reasons: ['not here'] } : way));
const traffic: Traffic = {
  udp: new Map([[1000, [48, 56]]]),
  tcpFrames: 1,
  tcpBytes: 100,
  udpRead: 2,
  tcpRead: 100,
  tcpIntact: true,
  readers: { udp: 7, tcp: 8 },
  counted: 3,
};
const trace: TraceFacts = {
  code: 0,
  stderr: '',
  ways: WAYS,
  packets: [packet(), packet({ length: 56 }), segment],
  lost: 0,
};

const failures = (change: Partial<TraceFacts>, sent: Partial<Traffic> = {}): string =>
  judge({ ...trace, ...change }, { ...traffic, ...sent }).failures.join('\n');

describe('judge', () => {
  it('passes a trace that has everything, and tells its classes and stamps', () => {
    const verdict = judge(trace, traffic);
    expect(verdict.failures).toEqual([]);
    expect(verdict).toMatchObject({ udpSeen: 2, tcpSeen: 1, stamped: { entry: 3, stack: 3 } });
    expect(verdict.classes).toEqual({
      'own-irq': { count: 2, certain: 2, width: 150 },
      batch: { count: 1, certain: 1, width: 150 },
    });
  });

  it.each([
    ['a datagram that is missing', { packets: [packet(), segment] }, {}, /1 of 2 datagrams/],
    ['a flow out of order', { packets: [packet({ length: 56 }), packet(), segment] }, {}, /flow 1000 is not/],
    ['a TCP frame that is missing', {}, { tcpFrames: 2 }, /1 of 2 TCP frames/],
    ['a frame that only the interface counted', {}, { counted: 4 }, /counted 4 frames, rxstamp 3/],
    ['a loss', { lost: 1 }, {}, /lost 1/],
    ['an exit code', { code: 3 }, {}, /code 3/],
    ['a datagram that nobody read', {}, { udpRead: 1 }, /got 1 of 2 datagrams/],
    ['TCP bytes that nobody read', {}, { tcpRead: 99 }, /99 of 100 bytes/],
    ['TCP bytes that changed', {}, { tcpIntact: false }, /other bytes/],
    [
      'a ladder out of order',
      { packets: [packet({ stages: { ...STAGES, stack: 45 } }), packet({ length: 56 }), segment] },
      {},
      /1 packets have stages out of order/,
    ],
    [
      'an interrupt without its entry',
      { packets: [packet({ stages: { isr: 0, driver: 50 } }), packet({ length: 56 }), segment] },
      {},
      /1 packets of an interrupt have no entry/,
    ],
    [
      'a stage without hook and reason',
      { ways: WAYS.map(({ stage }) => ({ stage, reasons: [] })) },
      {},
      /entry is not reached, and no/,
    ],
    ['a stage without hook that others reach', { ways: without('ip') }, {}, /^ip is not reached: not here$/],
    [
      'a datagram that another program read',
      { packets: [packet({ reader: { pid: 9, bytes: 20 } }), packet({ length: 56 }), segment] },
      {},
      /1 datagrams are not read by their receiver: 1 read/,
    ],
    [
      'a TCP frame without an end',
      { packets: [packet(), packet({ length: 56 }), { ...segment, fate: 'open' }] },
      {},
      /1 TCP frames have no end/,
    ],
    [
      'TCP bytes that no reader has in the trace',
      { packets: [packet(), packet({ length: 56 }), { ...segment, reader: { pid: 9, bytes: 100 } }] },
      {},
      /0 of 100 TCP bytes are read in the trace/,
    ],
    ['a stage that is not spoken of', { ways: WAYS.slice(1) }, {}, /nothing is said about entry/],
    [
      'bounds that cross',
      { packets: [packet({ notBefore: 51 }), packet({ length: 56 }), segment] },
      {},
      /exclude/,
    ],
    [
      'no interrupt at all',
      {
        packets: [
          packet({ how: 'polled' }),
          packet({ how: 'polled', length: 56 }),
          { ...segment, how: 'polled' },
        ],
      },
      {},
      /no packet was tied to an interrupt/,
    ],
  ] as const)('fails for %s', (_what, change, sent, why) => {
    expect(failures(change, sent)).toMatch(why);
  });
});

describe('the stages that a kernel has no hook for', () => {
  it('may be missing, and must be', () => {
    expect(judge({ ...trace, ways: without('poll') }, traffic, ['poll']).failures).toEqual([]);
    expect(judge(trace, traffic, ['poll']).failures).toEqual([
      'poll is reached by some, which the table of kernels does not know',
    ]);
  });
});

describe('inOrder', () => {
  it('looks at what was stamped only, and not at the clock of the NIC', () => {
    expect(inOrder(packet({ stages: { driver: 0, stack: 0 } }))).toBe(true);
    expect(inOrder(packet({ stages: { hw: 900, driver: 0, stack: 5 } }))).toBe(true);
    expect(inOrder(packet({ stages: { softirq: -20, poll: -30, driver: 0 } }))).toBe(false);
  });
});
