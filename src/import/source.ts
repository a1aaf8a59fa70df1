/**
 * A file as a source of records. Cast: a {@link LineReader} says what a line tells (captures have packets instead), the {@link Window} puts that in
 * order per CPU, the assembler makes records of events; the ledger gets what could not be read.
 */
import { Assembler } from '../method/events/assembler.js';
import { clearPacket } from '../method/events/rows.js';
import { FIRST_PACKET_STAGE, HEADER_WORDS, Lane, PacketColumns } from '../record/lane.js';
import type { LossCause } from '../record/loss.js';
import type { InterruptRecord, RecordSource, StageWay } from '../record/source.js';
import { HOOKED_STAGES, stageIndex } from '../stages.js';
import { PROBED } from './events.js';
import type {
  CapturedPacket,
  FileClock,
  FileFormat,
  Findings,
  LineReader,
  TextEvent,
  TextInterrupt,
} from './format.js';
import { Window } from './window.js';

const NS = 1_000_000_000;
const STACK = stageIndex('stack') - FIRST_PACKET_STAGE;
/** A longer line is none of any format. */
const LONGEST_LINE = 4096;
/** Bad lines that are told one by one. */
const TOLD = 5;
/** A CPU that was not heard of for so many events holds nothing up. */
const QUIET = 65_536;

interface Item {
  readonly cpu: number;
  readonly time: number;
  readonly line: number;
  /** None of these: events of this CPU are missing here. */
  readonly event?: TextEvent;
  readonly interrupt?: TextInterrupt;
  readonly packet?: CapturedPacket;
}

/** What has become of the lines of a file. */
export interface LineCounts {
  lines: number;
  /** Told something that was used. */
  records: number;
  /** Of the format, with nothing in them for us. */
  others: number;
  malformed: number;
  /** Understood, but older than what came more than a window before. */
  late: number;
}

/** The records of a file. Feed it {@link line}s, call {@link end} behind the last. */
export class ImportSource implements RecordSource, Findings {
  /** The whole second of the first record. */
  base = 0n;
  readonly lanes: Lane[] = [];
  readonly ways: readonly StageWay[];
  drainedTo = Number.NEGATIVE_INFINITY;
  onLater: RecordSource['onLater'] = () => {};
  onInterrupt: (interrupt: InterruptRecord) => void = () => {};
  onLoss: RecordSource['onLoss'] = () => {};
  readonly counts: LineCounts = { lines: 0, records: 0, others: 0, malformed: 0, late: 0 };
  /** The first bad lines, one sentence each. */
  readonly told: string[] = [];
  /** Called at the first record: {@link base} and {@link clock} are known, and no record has been given yet. */
  onStart: () => void = () => {};
  private started = false;
  private readonly format: FileFormat;
  private readonly reader: LineReader | undefined;
  private readonly window = new Window<Item>(
    (item) => this.take(item),
    (item) => this.tooLate(item),
  );
  private assembler: Assembler | undefined;
  private readonly seen = { exit: false, isr: false, vector: false, line: false };
  private readonly vectors = new Map<number, { readonly time: number; readonly vector: number }>();
  private readonly tasks = new Map<number, string>();
  private baseSeconds = 0;
  private drained = 0;
  private taken = 0;
  /** Per CPU: time of the last event that was taken, and its number. */
  private readonly last = new Map<number, { time: number; number: number }>();
  private newest = 0;
  /** Per CPU: time of the last event in the file. */
  private readonly read = new Map<number, number>();
  private readonly losses: { cause: LossCause; cpu: number; count: number }[] = [];

  /** @param reader undefined for a capture, whose packets come by {@link block} */
  constructor(format: FileFormat, reader: LineReader | undefined, interrupts: boolean) {
    this.format = format;
    this.reader = reader;
    this.ways = waysOf(format, interrupts);
  }

  /** Clock of the times, as far as the file tells. */
  get clock(): FileClock {
    return this.reader?.clock ?? 'realtime';
  }

  /** Takes the next line, without its end. */
  line(text: string): void {
    const { counts } = this;
    counts.lines++;
    const kind = text.length > LONGEST_LINE ? 'malformed' : this.reader?.line(text, this);
    if (kind === 'record') counts.records++;
    else if (kind === 'other') counts.others++;
    else this.bad('malformed', counts.lines, JSON.stringify(text.slice(0, 80).replace(/\p{Cc}/gu, '?')));
  }

  /** Takes the next block of a capture: a packet; or undefined, with why it is none. */
  block(packet: CapturedPacket | undefined, why = ''): void {
    const { counts } = this;
    counts.lines++;
    if (packet !== undefined) {
      counts.records++;
      const time = this.relative(packet.seconds, packet.nanos);
      const copy = { ...packet, bytes: packet.bytes.slice() };
      this.window.add({ cpu: 0, time, line: counts.lines, packet: copy });
    } else if (why === '') counts.others++;
    else this.bad('malformed', counts.lines, why);
  }

  private bad(kind: 'malformed' | 'late', line: number, why: string): void {
    this.counts[kind]++;
    this.loses('not_understood', -1, 1);
    const part = this.format.parts.slice(0, -1);
    if (this.told.length < TOLD) this.told.push(`${part} ${line}: not understood: ${why}`);
  }

  private tooLate(item: Item): void {
    this.counts.records--;
    const { parts } = this.format;
    this.bad('late', item.line, `it is older than ${parts} of its CPU long before it`);
  }

  private loses(cause: LossCause, cpu: number, count: number): void {
    if (count <= 0) return;
    const same = this.losses.find((loss) => loss.cause === cause && loss.cpu === cpu);
    if (same === undefined) this.losses.push({ cause, cpu, count });
    else same.count += count;
  }

  lost(count: number, cpu: number): void {
    this.loses('events_lost', cpu, count);
    const time = this.read.get(cpu);
    if (time === undefined) return;
    this.window.add({ cpu, time, line: this.counts.lines });
  }

  /** From the base; exact: seconds are whole. */
  private relative(seconds: number, nanos: number): number {
    if (!this.started) {
      this.started = true;
      this.baseSeconds = seconds;
      this.base = BigInt(seconds) * 1_000_000_000n;
      this.onStart();
    }
    const time = (seconds - this.baseSeconds) * NS + nanos;
    this.newest = Math.max(this.newest, time);
    return time;
  }

  event(event: TextEvent): void {
    const time = this.relative(event.seconds, event.nanos);
    if (event.name === 'irq_handler_exit') this.seen.exit = true;
    else if (event.name === 'irq_handler_entry') this.seen.isr = true;
    else if (event.name === PROBED.vector) this.seen.vector = true;
    else if (event.name === PROBED.line) this.seen.line = true;
    this.read.set(event.cpu, time);
    this.window.add({ cpu: event.cpu, time, line: this.counts.lines, event });
  }

  interrupt(interrupt: TextInterrupt): void {
    const time = this.relative(interrupt.seconds, interrupt.nanos);
    const cpu = Math.max(0, interrupt.cpu);
    this.window.add({ cpu, time, line: this.counts.lines, interrupt });
  }

  private take({ cpu, time, event, interrupt, packet }: Item): void {
    this.taken++;
    const last = this.last.get(cpu);
    if (last === undefined) this.last.set(cpu, { time, number: this.taken });
    else {
      last.time = time;
      last.number = this.taken;
    }
    if (packet !== undefined) {
      this.row(packet, time);
    } else if (interrupt !== undefined) {
      const { irq, vector } = interrupt;
      this.tell(irq, vector, interrupt.cpu, time, Number.NaN);
    } else if (event !== undefined && !this.byEntry(event, time)) {
      this.lanes[cpu] ??= new Lane(cpu);
      this.note(event);
      event.feed(this.assemble(), cpu, time, event.fields);
    } else if (event === undefined) {
      this.assembler?.gap(cpu);
      this.vectors.delete(cpu);
    }
  }

  private tell(irq: number, vector: number, cpu: number, entry: number, claim: number): void {
    const none = Number.NaN;
    this.onInterrupt({ irq, vector, cpu, entry, claim, isr: none, exit: none, napiId: 0 });
  }

  /** A capture tells no CPU: its packets are in a lane of their own. */
  private row({ length, protocol, bytes }: CapturedPacket, time: number): void {
    const lane = (this.lanes[0] ??= new Lane(-1));
    const row = lane.addPacket();
    const { packets } = lane;
    clearPacket(packets, row, PacketColumns.UNTOLD);
    packets.times[STACK]![row] = time;
    packets.length[row] = length;
    packets.protocol[row] = protocol;
    packets.capturedLength[row] = bytes.length;
    new Uint8Array(packets.header.buffer, row * HEADER_WORDS * 4, HEADER_WORDS * 4).set(bytes);
    lane.openFrom = lane.count;
  }

  /** Where probes on the entry are all there is of interrupts, and one knows the vector and the other the line. */
  private byEntry({ name, cpu, fields }: TextEvent, time: number): boolean {
    const { isr, vector, line } = this.seen;
    if (isr || !vector || !line) return false;
    if (name === PROBED.vector) {
      this.vectors.set(cpu, { time, vector: fields.number('vector') });
      return true;
    }
    if (name !== PROBED.line) return false;
    const at = this.vectors.get(cpu);
    this.vectors.delete(cpu);
    const irq = fields.number('irq');
    const entry = at?.time ?? time;
    const claim = at === undefined ? Number.NaN : time;
    this.tell(irq, at?.vector ?? 0, cpu, entry, claim);
    return true;
  }

  /** Names of threads that tell where a poll ran. */
  private note({ task, fields }: TextEvent): void {
    if (/^(?:ksoftirqd|napi)\//.test(task)) this.tasks.set(fields.pid, task);
  }

  private assemble(): Assembler {
    this.assembler ??= new Assembler(this, {
      ifindex: undefined,
      irqs: [],
      oneQueue: false,
      names: undefined,
      irqsTold: false,
      polls: true,
      lastOfInterrupt: this.seen.exit ? 'exit' : this.seen.isr ? 'isr' : 'entry',
      taskName: (pid) => this.tasks.get(pid),
    });
    return this.assembler;
  }

  /** The last line has come. */
  end(): void {
    this.window.end();
  }

  /** Tells what was lost, and up to when the records are complete. @returns lines used since the last call */
  drain(): number {
    const from = Math.max(0, this.drainedTo);
    this.drainedTo = this.completeTo();
    for (const loss of this.losses.splice(0)) this.onLoss({ ...loss, from, to: Math.max(from, this.newest) });
    const lines = this.taken - this.drained;
    this.drained = this.taken;
    return lines;
  }

  private completeTo(): number {
    let complete = Number.POSITIVE_INFINITY;
    for (const { time, number } of this.last.values())
      if (number > this.taken - QUIET) complete = Math.min(complete, time);
    return Number.isFinite(complete) ? complete : Number.NEGATIVE_INFINITY;
  }

  dropReasonName(): string | undefined {
    return undefined;
  }

  stop(): void {
    this.end();
  }

  close(): void {
    // Nothing is held: the file is the caller's.
  }
}

function waysOf({ stages }: FileFormat, interrupts: boolean): StageWay[] {
  const shown = HOOKED_STAGES.filter(
    ({ name }) => stageIndex(name) <= stageIndex(interrupts ? 'isr' : 'stack'),
  );
  return shown.map(({ name }) => {
    const hook = stages[name];
    return { stage: name, hook, reasons: hook === undefined ? ['such a file does not tell it'] : [] };
  });
}
