import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { compile, noCompiler } from '../../../test/support/compile.js';
import { CONTEXT, Lane, PACKET_AT_ETHERNET, PacketColumns, POLL } from '../../record/lane.js';
import { LATER, type LaterRecord } from '../../record/later.js';
import type { InterruptRecord } from '../../record/source.js';
import { stageIndex } from '../../stages.js';
import { Decoder } from './decode.js';
import {
  DROP,
  IRQ,
  KIND,
  MERGED,
  PACKET,
  POLL as POLL_LAYOUT,
  QUEUED,
  READ,
  STAGE,
  STREAM,
  WOKEN,
} from './layout.gen.js';

const BASE = 0x1_ffff_ff00n;

/** test/support/records.c's records, decoded. */
function decodeRecords() {
  const bytes = execFileSync(compile('test/support/records.c'));
  const words = new Uint32Array(new Uint8Array(bytes).buffer);
  const decoder = new Decoder(BASE);
  const lane = new Lane(1);
  const later: LaterRecord[] = [];
  const interrupts: InterruptRecord[] = [];
  const kinds: number[] = [];
  const sizes: number[] = [];
  const hardware: [row: number, stamp: bigint][] = [];
  decoder.onHardware = (_, row, from, at) =>
    hardware.push([row, (BigInt(from[at + 1]!) << 32n) | BigInt(from[at]!)]);
  for (let word = 0; word < words.length; word += words[word]! >>> 18) {
    const kind = words[word]! & 0xff;
    kinds.push(kind);
    sizes.push(words[word]! >>> 16);
    if (kind === KIND.PACKET) decoder.packet(lane, words, word);
    else if (kind === KIND.POLL) decoder.poll(lane, words, word);
    else if (kind === KIND.STAGE) later.push(decoder.later(words, word, 5).copy());
    else if (kind === KIND.STREAM) later.push(decoder.stream(words, word, 5).copy());
    else interrupts.push(decoder.interrupt(words, word));
  }
  return { lane, later, interrupts, kinds, sizes, hardware };
}

describe.skipIf(noCompiler !== undefined)(
  `records that C wrote${noCompiler ? ` (${noCompiler})` : ''}`,
  () => {
    const { lane, later, interrupts, kinds, sizes, hardware } =
      noCompiler === undefined ? decodeRecords() : ({} as never);
    const pollTime = (name: Parameters<typeof stageIndex>[0], row: number): number =>
      lane.polls.times[stageIndex(name)]![row]!;

    it('have the kinds and sizes of the generated layout', () => {
      const { PACKET: packet, POLL: poll, STAGE: stage, STREAM: stream, IRQ: irq } = KIND;
      const laters = Array.from({ length: 14 }, () => stage);
      const expected = [
        packet,
        packet,
        poll,
        packet,
        packet,
        poll,
        poll,
        ...laters,
        stream,
        stream,
        irq,
        packet,
        packet,
      ];
      expect(kinds).toEqual(expected);
      const plain = STAGE.SIZE;
      const laterSizes = [plain, plain, plain, plain, QUEUED.SIZE, READ.SIZE, DROP.SIZE, WOKEN.SIZE];
      // The last packet but one has a short header.
      expect(sizes).toEqual([
        ...[packet, packet, poll, packet, packet, poll, poll].map((kind) =>
          kind === packet ? PACKET.SIZE : POLL_LAYOUT.SIZE,
        ),
        ...laterSizes,
        MERGED.SIZE,
        MERGED.SIZE,
        plain,
        plain,
        plain,
        READ.SIZE,
        STREAM.SIZE,
        STREAM.SIZE,
        IRQ.SIZE,
        PACKET.hardware - 40,
        PACKET.SIZE,
      ]);
    });

    it('give a packet with every field, its time beyond 2^32 from the base', () => {
      const { packets } = lane;
      expect(packets.times[0]![0]).toBe(0x1_2345_6789);
      expect(packets.times[1]![0]).toBeNaN();
      expect(packets.length[0]).toBe(0xfedcba98);
      expect(packets.skb[0]).toBe(0x8881deadbe00);
      expect(packets.hash[0]).toBe(0x89abcdef);
      expect(packets.protocol[0]).toBe(0x86dd);
      expect(packets.vlan[0]).toBe(0xe02a);
      expect(packets.queue[0]).toBe(8);
      expect(packets.capturedLength[0]).toBe(47);
      const header = new Uint8Array(packets.header.buffer, 0, 64);
      expect([...header]).toEqual(Array.from({ length: 64 }, (_, i) => i + 1));
      expect([packets.flags[0], packets.flags[1]]).toEqual([0, PACKET_AT_ETHERNET]);
    });

    it('give a packet with a short header its first 24 bytes', () => {
      expect(lane.packets.capturedLength[4]).toBe(24);
      const header = new Uint8Array(lane.packets.header.buffer, 4 * 64, 24);
      expect([...header]).toEqual(Array.from({ length: 24 }, (_, i) => i + 1));
    });

    it('give the NIC’s stamp where there is one, and the header beside it', () => {
      expect(hardware).toEqual([[5, 0x18ea92f0123456f8n]]);
      expect([...lane.packets.hardware.subarray(0, 6)]).toEqual(Array(6).fill(Number.NaN));
      expect([...lane.packets.hardwareError.subarray(0, 6)]).toEqual(Array(6).fill(Number.NaN));
      const header = new Uint8Array(lane.packets.header.buffer, 5 * 64, 64);
      expect([...header]).toEqual(Array.from({ length: 64 }, (_, i) => i + 1));
      expect(lane.packets.capturedLength[5]).toBe(47);
    });

    it('tie packets to the poll that closes them, with their place in it', () => {
      expect([...lane.packets.poll.subarray(0, 5)]).toEqual([0, 0, 1, 1, PacketColumns.NONE]);
      expect([...lane.packets.indexInPoll.subarray(0, 5)]).toEqual([2, 9, 255, 255, 0]);
      expect(lane.openFrom).toBe(6);
    });

    it('give a poll that an interrupt led to, with times before and after the base', () => {
      const { polls } = lane;
      expect(pollTime('entry', 0)).toBe(-16);
      expect(pollTime('isr', 0)).toBe(200);
      expect(pollTime('raise', 0)).toBe(1000);
      expect(pollTime('softirq', 0)).toBe(3000);
      expect(pollTime('poll', 0)).toBe(4000);
      expect([polls.end[0], polls.previousEnd[0]]).toEqual([9000, -500]);
      expect([polls.empty[0], polls.context[0]]).toEqual([-700, CONTEXT.irqThread]);
      expect([polls.irq[0], polls.vector[0], polls.irqCpu[0], polls.again[0]]).toEqual([4095, 0xfe, 511, 3]);
      expect([polls.work[0], polls.budget[0], polls.previousWork[0]]).toEqual([-1, 64, -64]);
      expect([polls.napiId[0], polls.pid[0], polls.packets[0]]).toEqual([0x2001, 4_194_304, 9]);
      expect(polls.flags[0]).toBe(POLL.CAUSED | POLL.MISSED | POLL.AMBIGUOUS);
    });

    it('give no interrupt to a poll that none led to, whatever lies in the ring; its line is told', () => {
      const { polls } = lane;
      for (const stage of ['entry', 'isr', 'raise', 'softirq', 'poll'] as const)
        expect(pollTime(stage, 1)).toBeNaN();
      expect([polls.previousEnd[1], polls.empty[1]]).toEqual([Number.NaN, Number.NaN]);
      expect(polls.context[1]).toBe(CONTEXT.softirq);
      expect([polls.irq[1], polls.vector[1], polls.irqCpu[1], polls.again[1], polls.flags[1]]).toEqual([
        77, 0, 0, 0, 0,
      ]);
    });

    it('leave out a softirq that had started before the interrupt', () => {
      expect(pollTime('isr', 2)).toBe(200);
      expect(pollTime('softirq', 2)).toBeNaN();
    });

    it('give what came later, with its packet', () => {
      const stamps = ['stack', 'ip', 'transport', 'socket', 'socket'] as const;
      expect(later.slice(0, 5).map(({ stage }) => stage)).toEqual(stamps.map(stageIndex));
      expect(later.map(({ what }) => what)).toEqual(
        'stamp stamp stamp stamp tcpSocket read drop woken merged coalesced consumed forwarded evicted released tcpRead tcpClosed'
          .split(' ')
          .map((name) => LATER[name as keyof typeof LATER]),
      );
      for (const [index, record] of later.slice(0, 14).entries())
        expect(record).toMatchObject({
          time: index + 1,
          cpu: 5,
          origin: 1023,
          sequence: 0x7654321,
          check: 0xfe2077ab,
        });
      expect(later[4]).toMatchObject({ sock: 0x888111111180 });
      expect(later[5]).toMatchObject({ pid: 70, tid: 71, bytes: 1400, name: 'reader', entered: false });
      expect(later[6]).toMatchObject({ reason: 0x30007, entered: true });
      expect(later[7]).toMatchObject({ tid: 72, name: 'sixteen bytes...' });
      expect(later[8]).toMatchObject({ intoOrigin: 1022, intoSequence: 0x7654320 });
      expect(later[9]).toMatchObject({ intoOrigin: -1 });
    });

    it('give what happened to a TCP socket', () => {
      const socket = { time: 50, sock: 0x888111111180, copied: 0xfffffff0, pid: 70, tid: 71, name: 'reader' };
      expect(later.slice(14)).toMatchObject([socket, socket]);
    });

    it('give an interrupt', () => {
      const { entry, claim, ...rest } = interrupts[0]!;
      expect([entry, claim]).toEqual([Number.NaN, Number.NaN]);
      expect(rest).toEqual({ irq: 38, vector: 0x25, cpu: 3, isr: 10, exit: 0x2_0000_0000, napiId: 0x2001 });
    });
  },
);
