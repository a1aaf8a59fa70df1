import { mkdtempSync, rmSync } from 'node:fs';
import { type Server, type Socket, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { udpFlows } from './frames.js';
import { Injector } from './inject.js';
import { connectWhenOpen } from './unix-socket.js';
import { SocketWire } from './wire.js';

/** The bytes on the socket. */
const framed = (frames: readonly Buffer[]): Buffer =>
  Buffer.concat(
    frames.flatMap((frame) => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(frame.length);
      return [length, frame];
    }),
  );

/** Stands for QEMU's end: counts frames, reads only when told to. */
describe('Injector', () => {
  let folder = '';
  let peer: Socket | undefined;
  let taken = Buffer.alloc(0);
  let server: Server | undefined;
  let injector: Injector;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'rxs-'));
    taken = Buffer.alloc(0);
    const listener = createServer((socket) => {
      peer = socket;
      socket.on('error', () => undefined);
      socket.on('data', (chunk) => {
        taken = Buffer.concat([taken, chunk]);
      });
    });
    await new Promise<void>((resolve) => listener.listen(join(folder, 's'), resolve));
    server = listener;
    peer = undefined;
    injector = new Injector(new SocketWire(await connectWhenOpen(join(folder, 's'), () => undefined)));
    // Connected is not accepted yet.
    await expect.poll(() => peer).toBeDefined();
  });

  afterEach(() => {
    injector.close();
    peer?.destroy();
    server?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('sends each frame behind its length, in order', async () => {
    const frames = udpFlows({ count: 50, flows: 3 });
    const sent = await injector.send(frames, { burst: 7 });
    await expect.poll(() => taken.length).toBe(framed(frames).length);
    expect(taken).toEqual(framed(frames));
    expect(sent.count).toBe(50);
    expect(sent.times).toHaveLength(50);
  });

  it('keeps at least the gap between bursts, by its own times', async () => {
    const { times } = await injector.send(udpFlows({ count: 20 }), { gapUs: 2000, burst: 2 });
    for (let i = 2; i < times.length; i += 2) {
      expect(Number((times[i] ?? 0n) - (times[i - 1] ?? 0n))).toBeGreaterThanOrEqual(2_000_000);
    }
    expect(times[0]).toBe(times[1]);
  });

  it('sends no frame before its time', async () => {
    const start = process.hrtime.bigint() + 5_000_000n;
    const at = [0n, 3_000_000n, 3_500_000n].map((offset) => start + offset);
    const { times } = await injector.send(udpFlows({ count: 3 }), { at });
    times.forEach((time, index) => expect(time).toBeGreaterThanOrEqual(at[index] ?? 0n));
  });

  it('waits while the other end takes nothing, and stops when told to', async () => {
    peer?.pause();
    const stop = new AbortController();
    const many = udpFlows({ count: 5000, size: 1400 });
    let over = false;
    const sending = injector.send(many, { signal: stop.signal }).then((sent) => {
      over = true;
      return sent;
    });
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(over).toBe(false);
    stop.abort();
    peer?.resume();
    const sent = await sending;
    expect(sent.count).toBeGreaterThan(0);
    expect(sent.count).toBeLessThan(5000);
  });

  it('counts the frames that come back, however they are cut', async () => {
    const bytes = framed(udpFlows({ count: 3 }));
    peer?.write(bytes.subarray(0, 2));
    await new Promise((resolve) => setTimeout(resolve, 20));
    peer?.write(bytes.subarray(2, 100));
    await new Promise((resolve) => setTimeout(resolve, 20));
    peer?.write(bytes.subarray(100));
    await expect.poll(() => injector.received).toBe(3);
    expect(injector.receivedBytes).toBe(180);
  });

  it('says so when the guest is gone', async () => {
    peer?.destroy();
    await expect
      .poll(() =>
        injector.send(udpFlows({ count: 1 })).then(
          () => 'sent',
          (error: Error) => error.message,
        ),
      )
      .toMatch(/sending frames/);
  });
});
