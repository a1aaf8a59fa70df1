import * as fc from 'fast-check';
import koffi from 'koffi';
import { describe, expect, it } from 'vitest';
import { compile, noCompiler } from '../../../test/support/compile.js';
import { CHUNK, CPU, TAIL } from './layout.gen.js';
import { RingReader } from './ring-reader.js';

const CPUS = 2;
const RINGS = 4;
const MAX_CHUNKS = 64;
const CHUNK_BYTES = 65_536;

/** The kernel side's own code, bpf/lib/state.h, compiled for this machine. */
function loadWriter() {
  const library = koffi.load(
    compile('test/support/ring-writer.c', ['-shared', '-fPIC', '-Wno-unknown-pragmas']),
  );
  const memory = (name: string, bytes: number): Uint32Array =>
    new Uint32Array(koffi.view(library.func(`void *${name}()`)() as bigint, bytes));
  const reset = library.func('void reset(uint32_t chunks, uint32_t position)');
  const write = library.func('int write_record(uint32_t ring, uint32_t size, uint32_t spare, uint32_t mark)');
  return {
    words: {
      chunks: memory('memory_of_chunks', MAX_CHUNKS * CHUNK.SIZE),
      cpus: memory('memory_of_cpus', CPUS * CPU.SIZE),
      tails: memory('memory_of_tails', RINGS * TAIL.SIZE),
    },
    reset: (chunks: number, position: number) => void reset(chunks, position),
    write: (ring: number, size: number, spare: number, mark: number) => write(ring, size, spare, mark) === 1,
  };
}

/** What a reader must see of a ring, and how much room its writer must believe in. */
interface Model {
  readonly written: { mark: number; size: number }[];
  /** Bytes written and given back so far. */
  used: number;
}

const sizes = fc.constantFrom(40, 48, 56, 112, 128);
const writes = fc.record({
  ring: fc.nat(RINGS - 1),
  size: sizes,
  spare: fc.constantFrom(0, 128),
  times: fc.integer({ min: 1, max: 900 }),
});
const drains = fc.record({ drain: fc.nat(RINGS - 1) });
const steps = fc.array(fc.oneof({ weight: 4, arbitrary: writes }, { weight: 3, arbitrary: drains }), {
  maxLength: 60,
});
const positions = fc.oneof(
  fc.constant(0),
  fc.nat(40).map((records) => 2 ** 32 - records * 8),
  fc.nat(2 ** 29 - 1).map((eighth) => eighth * 8),
);

describe.skipIf(noCompiler !== undefined)(
  `the reader of the ring${noCompiler ? ` (${noCompiler})` : ''}`,
  () => {
    it('sees every record of the kernel’s writer once, in order, over chunk ends and 2^32 bytes; full means full', () => {
      const writer = loadWriter();
      fc.assert(
        fc.property(fc.constantFrom(1, 2, 16), positions, steps, (chunks, position, plan) => {
          writer.reset(chunks, position);
          const reader = new RingReader(writer.words, CPUS, RINGS, chunks);
          const models: Model[] = Array.from({ length: RINGS }, () => ({ written: [], used: 0 }));
          let mark = 0;
          const drain = (ring: number): void => {
            const { written } = models[ring]!;
            const expected = written.splice(0);
            let at = 0;
            const count = reader.drain(ring, (words, word, kind, cpu) => {
              const { mark: wanted, size } = expected[at++]!;
              const seen = [kind, cpu, words[word]! >>> 16, words[word + 1], words[word + size / 4 - 1]];
              if (String(seen) !== String([4, ring % CPUS, size, wanted, wanted]))
                expect(seen).toEqual([wanted]);
            });
            expect(count).toBe(expected.length);
            expect(at).toBe(expected.length);
            models[ring]!.used = 0;
          };
          for (const step of plan) {
            if ('drain' in step) {
              drain(step.drain);
              continue;
            }
            const model = models[step.ring]!;
            for (let i = 0; i < step.times; i++) {
              const fits = model.used + step.size + step.spare <= chunks * CHUNK_BYTES;
              if (writer.write(step.ring, step.size, step.spare, ++mark) !== fits)
                expect(model).toBe(`fits: ${fits}`);
              if (!fits) break;
              model.written.push({ mark, size: step.size });
              model.used += step.size;
            }
          }
          for (let ring = 0; ring < RINGS; ring++) drain(ring);
        }),
        { numRuns: 200 },
      );
    }, 60_000);

    it('stops at a record without a size instead of reading for ever', () => {
      const writer = loadWriter();
      writer.reset(1, 0);
      const reader = new RingReader(writer.words, CPUS, RINGS, 1);
      expect(writer.write(0, 40, 0, 1)).toBe(true);
      writer.words.chunks[0] = 4;
      expect(() => reader.drain(0, () => {})).toThrow(/the record at 0 has no size/);
    });
  },
);
