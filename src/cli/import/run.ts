/** `rxstamp import`: read, put in order, print. */
import { EXIT, RxError } from '../../base/errors.js';
import { Timeline } from '../../base/time.js';
import { parseCount } from '../../base/units.js';
import type { FileClock, TextFormat } from '../../import/format.js';
import { TEXT_FORMATS, detect } from '../../import/formats.js';
import { Lines } from '../../import/lines.js';
import { ImportSource } from '../../import/source.js';
import { NO_FACTS } from '../../packet/arrival.js';
import type { TraceMeta } from '../../report/format/format.js';
import type { FormatName } from '../../report/format/index.js';
import { readInput } from '../../sys/input.js';
import { version } from '../../sys/package.js';
import { FILE_FORMATS } from '../import.js';
import { Listing } from '../trace/listing.js';

type Raw = Readonly<Record<string, string | boolean | undefined>>;

/** So much of a file must tell what it is. */
const HEAD_BYTES = 1 << 20;

const CLOCKS: Readonly<Record<string, FileClock>> = {
  mono: 'monotonic',
  boot: 'boottime',
  real: 'realtime',
  tai: 'tai',
  local: 'local',
};

const say = (text: string): void => void process.stderr.write(`${text}\n`);

/** Imports a file. @returns the exit code: 3 when lines were not understood, or events are missing */
export async function runImport(file: string, raw: Raw): Promise<number> {
  const ending = new AbortController();
  const stop = (): void => ending.abort();
  process.on('SIGINT', stop).on('SIGTERM', stop).on('SIGHUP', stop);
  const run = new Import(file, raw);
  for await (const piece of readInput(file, ending.signal)) {
    run.add(piece);
    if (run.enough) break;
  }
  return run.finish();
}

/** One run of the command. */
class Import {
  private readonly file: string;
  private readonly raw: Raw;
  private readonly count: number | undefined;
  private head: string[] = [];
  private bytes = 0;
  private format: TextFormat | undefined;
  private source: ImportSource | undefined;
  private listing: Listing | undefined;
  private readonly lines = new Lines((line) => {
    if (this.source === undefined) this.head.push(line);
    else this.source.line(line);
  });

  constructor(file: string, raw: Raw) {
    this.file = file;
    this.raw = raw;
    this.count = raw['count'] === undefined ? undefined : parseCount(raw['count'] as string, '--count');
    if (raw['from'] !== undefined) this.open(TEXT_FORMATS.find(({ name }) => name === raw['from']));
  }

  /** True when nothing more need be read. */
  get enough(): boolean {
    return this.listing !== undefined && (this.listing.full() || this.listing.output.closed);
  }

  private get interrupts(): boolean {
    return this.raw['interrupts'] === true || this.format?.tells === 'interrupts';
  }

  add(piece: Buffer): void {
    this.bytes += piece.length;
    this.lines.add(piece);
    if (this.source === undefined) {
      this.open(detect(this.head));
      if (this.source === undefined && this.bytes > HEAD_BYTES) throw this.unknown();
    }
    this.turn(false);
  }

  private open(format: TextFormat | undefined): void {
    if (format === undefined) return;
    this.format = format;
    const source = new ImportSource(format, this.interrupts);
    this.source = source;
    source.onStart = () => (this.listing = this.list(source));
    for (const line of this.head) source.line(line);
    this.head = [];
  }

  private turn(final: boolean): void {
    const { source } = this;
    if (source === undefined) return;
    if (final) this.listing ??= this.list(source);
    if (this.listing === undefined) return;
    this.listing.summary.records += source.drain();
    this.listing.emit(final);
  }

  private list(source: ImportSource): Listing {
    const listed = {
      until: 'stack',
      format: this.raw['format'] as FormatName,
      interrupts: this.interrupts,
      count: this.count,
      waitNs: 0,
      slower: undefined,
      pids: undefined,
    } as const;
    const asked = CLOCKS[this.raw['clock'] as string];
    const clock = source.clock === 'unknown' ? (asked ?? 'unknown') : source.clock;
    if (this.format?.note !== undefined) say(`note: ${this.format.note}`);
    if (asked !== undefined && asked !== clock)
      say(`note: the file's times are ${clock}, not what --clock says`);
    // What made an arrival certain was true of the machine that was recorded, not of this one.
    const listing = new Listing(listed, source, new Timeline(source.base), NO_FACTS);
    const meta: TraceMeta = {
      version: version(),
      kernel: 'not told by the file',
      started: new Date().toISOString(),
      clock: { name: clock, offsetErrorNs: null },
      until: 'stack',
      method: 'import',
      ways: source.ways,
      ringBytesPerCpu: 0,
      filter: { interrupts: this.interrupts, count: this.count, from: this.format?.name },
      interfaces: [],
    };
    listing.begin(meta);
    return listing;
  }

  finish(): number {
    this.lines.end();
    if (this.source === undefined) this.open(detect(this.head));
    const { source } = this;
    if (source === undefined) throw this.unknown();
    if (!this.enough) source.end();
    this.turn(true);
    const listing = this.listing as Listing;
    listing.finish();
    for (const line of source.told) say(line);
    const { lines, records, others, malformed, late } = source.counts;
    say(
      `${lines} lines of ${this.format?.name}: ${records} used, ${others} about other things, ${malformed + late} not understood`,
    );
    return listing.ledger.total() > 0 ? EXIT.loss : EXIT.ok;
  }

  private unknown(): RxError {
    const all = FILE_FORMATS.join(', ');
    return new RxError('RXS_IMPORT', {
      doing: 'reading',
      subject: this.file === '-' ? 'standard input' : this.file,
      why: this.bytes === 0 ? 'it is empty' : `no line in it is of ${all}`,
      hint: `name what wrote it with --from; ${all} are known`,
    });
  }
}
