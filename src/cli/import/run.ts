/** `rxstamp import`: read, put in order, print. */
import { EXIT, RxError } from '../../base/errors.js';
import { Timeline } from '../../base/time.js';
import { parseCount } from '../../base/units.js';
import { CAPTURE, CaptureReader, MAGIC_BYTES, captureKind } from '../../import/capture.js';
import type { FileClock, FileFormat, LineReader, TextFormat } from '../../import/format.js';
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
  return run.finish(ending.signal.aborted);
}

/** One run of the command. */
class Import {
  private readonly file: string;
  private readonly raw: Raw;
  private readonly count: number | undefined;
  /** Interrupts that were told, where packets are shown. */
  private unshown = 0;
  private head: string[] = [];
  private bytes = 0;
  private format: FileFormat | undefined;
  private capture: CaptureReader | undefined;
  /** The first bytes, until they tell whether this is a capture. */
  private first: Buffer | undefined = Buffer.alloc(0);
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
    if (raw['from'] !== undefined && !this.captureAsked)
      this.openText(TEXT_FORMATS.find(({ name }) => name === raw['from']));
  }

  private get captureAsked(): boolean {
    return this.raw['from'] === 'pcap' || this.raw['from'] === 'pcapng';
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
    let bytes = piece;
    if (this.first !== undefined) {
      bytes = this.first = Buffer.concat([this.first, piece]);
      if (bytes.length < MAGIC_BYTES) return;
      this.begin(bytes);
    }
    if (this.capture !== undefined) this.capture.add(bytes);
    else this.text(bytes);
    this.turn(false);
  }

  /** Decides between a capture and text. */
  private begin(bytes: Buffer): void {
    this.first = undefined;
    if (this.source !== undefined) return;
    if (captureKind(bytes) !== undefined) this.openCapture();
    else if (this.captureAsked) throw this.unknown();
  }

  private text(bytes: Buffer): void {
    this.lines.add(bytes);
    if (this.source !== undefined) return;
    this.openText(detect(this.head));
    if (this.source === undefined && this.bytes > HEAD_BYTES) throw this.unknown();
  }

  private openCapture(): void {
    if (this.raw['interrupts'] === true)
      throw new RxError('RXS_USAGE', {
        doing: 'reading --interrupts',
        subject: this.file,
        why: 'a capture has packets only',
        hint: 'leave --interrupts out',
      });
    this.capture = new CaptureReader(this.open(CAPTURE, undefined));
  }

  private openText(format: TextFormat | undefined): void {
    if (format === undefined) return;
    const source = this.open(format, format.reader());
    for (const line of this.head) source.line(line);
    this.head = [];
  }

  private open(format: FileFormat, reader: LineReader | undefined): ImportSource {
    this.format = format;
    const source = new ImportSource(format, reader, this.interrupts);
    this.source = source;
    source.onStart = () => (this.listing = this.list(source));
    return source;
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
    if (!this.interrupts) source.onInterrupt = () => void this.unshown++;
    return listing;
  }

  /** @param cut nobody waited for the end of the file: its last line may be half a line */
  finish(cut: boolean): number {
    const { first } = this;
    if (first !== undefined && first.length > 0) {
      // Too short for a capture.
      this.begin(first);
      this.text(first);
    }
    if (!cut && !this.enough) {
      this.lines.end();
      this.capture?.end();
    }
    if (this.source === undefined && !this.captureAsked) this.openText(detect(this.head));
    const { source } = this;
    if (source === undefined) throw this.unknown();
    if (!this.enough) source.end();
    this.turn(true);
    const listing = this.listing as Listing;
    listing.finish();
    for (const line of source.told) say(line);
    if (listing.summary.packets === 0 && this.unshown > 0)
      say(`note: there are no packets in it, but ${this.unshown} interrupts: --interrupts shows them`);
    const { lines, records, others, malformed, late } = source.counts;
    say(
      `${lines} ${this.format?.parts} of ${this.format?.name}: ${records} used, ${others} about other things, ${malformed + late} not understood`,
    );
    return listing.ledger.total() > 0 ? EXIT.loss : EXIT.ok;
  }

  private unknown(): RxError {
    const all = FILE_FORMATS.join(', ');
    const asked = this.captureAsked;
    return new RxError('RXS_IMPORT', {
      doing: 'reading',
      subject: this.file === '-' ? 'standard input' : this.file,
      why:
        this.bytes === 0
          ? 'it is empty'
          : asked
            ? 'it does not begin as a capture does'
            : `no line in it is of ${all}`,
      hint: asked
        ? 'leave --from out: what wrote the file is found out from its first bytes'
        : `name what wrote it with --from; ${all} are known`,
    });
  }
}
