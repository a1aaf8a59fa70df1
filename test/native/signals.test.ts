/** Ended at any moment, a trace leaves nothing behind and says nothing confusing. */
import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { describe, expect, it } from 'vitest';
import { cannotTrace, titled } from './needs.js';
import { bpfObjects, leftObjects, mounts } from './leftovers.js';
import { type Ended, RunningTrace } from './trace.js';

const ROUNDS = process.env['RXSTAMP_LONG'] === '1' ? 50 : 10;
const LATEST_MS = 600;
const SEED = Number(process.env['RXSTAMP_SEED'] ?? Date.now() % 100_000);

/** mulberry32: the same moments again with RXSTAMP_SEED. */
function moments(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

async function endAfter(ms: number, signal: NodeJS.Signals): Promise<Ended> {
  const running = new RunningTrace(['lo']);
  await new Promise((resolve) => setTimeout(resolve, ms));
  running.kill(signal);
  return running.ended();
}

/** What is wrong with an end by a signal that can be caught, '' when nothing is. */
function wrong(ended: Ended, signal: NodeJS.Signals): string {
  const { code, stdout, stderr } = ended;
  if (stderr !== '') return `stderr: ${stderr}`;
  // Before the first line the signal does what it always does; from then on it means: sum up.
  if (stdout === '') return ended.signal === signal || code === 0 ? '' : `code ${code}`;
  if (code !== 0) return `code ${code}, signal ${ended.signal}, after the first line`;
  return /packets? stamped .*lost\n/.test(stdout) ? '' : `no summary: ${stdout}`;
}

describe.skipIf(cannotTrace !== undefined)(
  titled(`a trace that is ended early, seed ${SEED}`, cannotTrace),
  () => {
    it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
      `by %s at ${ROUNDS} moments sums up or goes quietly, and leaves nothing`,
      { timeout: 60_000 + ROUNDS * 6000 },
      async (signal) => {
        const [objects, mounted] = [bpfObjects(), mounts()];
        const next = moments(SEED);
        for (let round = 0; round < ROUNDS; round++) {
          const ms = Math.floor(next() * LATEST_MS);
          expect(wrong(await endAfter(ms, signal), signal), `after ${ms} ms`).toBe('');
        }
        expect(await leftObjects(objects)).toEqual([]);
        expect(mounts()).toEqual(mounted);
      },
    );

    it(`by SIGKILL at ${ROUNDS} moments leaves nothing`, { timeout: 60_000 + ROUNDS * 6000 }, async () => {
      const [objects, mounted] = [bpfObjects(), mounts()];
      const files = readdirSync(tmpdir()).filter((name) => !name.startsWith('rxstamp-trace-'));
      const next = moments(SEED + 1);
      for (let round = 0; round < ROUNDS; round++) {
        const ended = await endAfter(Math.floor(next() * LATEST_MS), 'SIGKILL');
        expect(ended.signal).toBe('SIGKILL');
      }
      expect(await leftObjects(objects)).toEqual([]);
      expect(mounts()).toEqual(mounted);
      const koffi = readdirSync(tmpdir()).filter((name) => name.includes('koffi') && !files.includes(name));
      expect(koffi).toEqual([]);
    });

    it('by a second signal still gives the summary', { timeout: 120_000 }, async () => {
      const running = await new RunningTrace(['lo']).ready();
      running.kill('SIGINT');
      running.kill('SIGTERM');
      expect(wrong(await running.ended(), 'SIGINT')).toBe('');
    });

    it('has no program, link or map left open by its own hook trials while it runs', {
      timeout: 120_000,
    }, async () => {
      const before = bpfObjects();
      const running = await new RunningTrace(['lo']).ready();
      expect(await leftObjects(before)).toEqual([]);
      await running.interrupt();
      expect(await leftObjects(before)).toEqual([]);
    });
  },
);
