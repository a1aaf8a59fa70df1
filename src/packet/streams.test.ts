import { describe, expect, it } from 'vitest';
import { Streams } from './streams.js';

const SECOND = 1e9;

describe('segments on a socket', () => {
  it('that are told twice are queued once', () => {
    const streams = new Streams();
    for (const [id, end] of [
      [1, 100],
      [2, 200],
      [3, 200],
      [2, 200],
      [1, 100],
    ] as const)
      streams.queue(7, id, end, 0);
    expect(streams.take(7, 200)).toEqual([1, 2, 3]);
    expect(streams.size).toBe(0);
  });

  it('are remembered while one of them is there, and for a minute more; then the socket is forgotten', () => {
    const streams = new Streams();
    streams.queue(7, 1, 100, 0);
    streams.queue(8, 2, 100, 50 * SECOND);
    streams.sweep(61 * SECOND, () => true);
    expect(streams.size).toBe(2);
    streams.sweep(61 * SECOND, () => false);
    expect(streams.size).toBe(1);
    expect(streams.take(8, 100)).toEqual([2]);
  });
});
