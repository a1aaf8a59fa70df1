import assert from 'node:assert/strict';
import { echoFrame } from '../frames.js';
import { settle } from '../trace-in-guest.js';
import { scenario } from './scenario.js';

const COUNT = 20;
const ICMP_REPLY = 0;

/** Frames come back, too. */
export const echoReplies = scenario({
  name: `${COUNT} echo requests get ${COUNT} replies, in order`,
  needs: { nic: 'igb,queues=2', cpus: 2 },
  start: async (guest) => {
    const replies: number[] = [];
    guest.injector.onFrame = (frame) => {
      const isReply = frame.readUInt16BE(12) === 0x0800 && frame[23] === 1 && frame[34] === ICMP_REPLY;
      if (isReply) replies.push(frame.readUInt16BE(40));
    };
    return replies;
  },
  send: {
    frames: () => Array.from({ length: COUNT }, (_, index) => echoFrame(index)),
    pacing: { gapUs: 2000 },
  },
  expect: async ({ guest, started: replies }) => {
    await settle(
      async () => replies.length,
      (length) => length >= COUNT,
    );
    guest.injector.onFrame = undefined;
    assert.deepEqual(
      replies,
      Array.from({ length: COUNT }, (_, index) => index),
    );
  },
});
