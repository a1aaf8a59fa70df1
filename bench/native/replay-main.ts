/**
 * `node replay-main.js IFACE`, in the interface's network namespace: traces it, says `ready`, takes what came until
 * standard input closes, then prints what decoding and joining it costs per packet, as JSON.
 */
import { readOptions } from '../../src/cli/trace/options.js';
import { resolveTarget } from '../../src/cli/trace/target.js';
import { Decoder } from '../../src/method/ebpf/decode.js';
import { EbpfSession } from '../../src/method/ebpf/session.js';
import type { Lane } from '../../src/record/lane.js';
import { inPolls, measureReplay, tape } from './replay.js';

const MOST_RECORDS = 20_000;

/** Drains a session while copying its packet records. */
function copyRecords(session: EbpfSession): Uint32Array[] {
  const records: Uint32Array[] = [];
  const plain = Object.getOwnPropertyDescriptor(Decoder.prototype, 'packet') ?? {};
  const decode = plain.value as (lane: Lane, words: Uint32Array, word: number) => void;
  Decoder.prototype.packet = function copying(lane, words, word): void {
    const size = (words[word] as number) >>> 18;
    if (records.length < MOST_RECORDS) records.push(words.slice(word, word + size));
    decode.call(this, lane, words, word);
  };
  session.drain();
  Object.defineProperty(Decoder.prototype, 'packet', plain);
  return records;
}

const options = readOptions(process.argv.slice(2, 3), {
  until: 'driver',
  clock: 'mono',
  format: 'times',
  buffer: '16MiB',
});
const session = EbpfSession.start(resolveTarget(options).ebpf);
process.stdout.write('ready\n');
await new Promise<void>((resolve) => process.stdin.on('end', () => resolve()).resume());
session.stop();
const records = copyRecords(session);
const { base, ways } = session;
session.close();
const result = {
  records: records.length,
  bytesPerRecord: (records[0]?.length ?? 0) * 4,
  noPolls: measureReplay(tape(records), base, ways),
  pollsOf1: measureReplay(tape(inPolls(records, 1)), base, ways),
  pollsOf8: measureReplay(tape(inPolls(records, 8)), base, ways),
};
process.stdout.write(`${JSON.stringify(result)}\n`);
