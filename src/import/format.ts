/** What a format of text must be able to do: know its lines, and say what each one tells. */
import type { Feed, Fields } from '../method/events/table.js';
import type { StageName } from '../stages.js';

/** Clock of a file's times, as `meta` names it. */
export type FileClock = 'monotonic' | 'boottime' | 'realtime' | 'tai' | 'local' | 'unknown';

/** What became of a line. */
export type LineKind =
  /** It told something that is used. */
  | 'record'
  /** A line of the format with nothing in it for us: a comment, another event. */
  | 'other'
  /** Not a line of the format, or damaged. */
  | 'malformed';

/** A kernel event that a line told. */
export interface TextEvent {
  readonly cpu: number;
  readonly seconds: number;
  readonly nanos: number;
  /** Name without its system. */
  readonly name: string;
  readonly feed: Feed;
  readonly fields: Fields;
  /** Name of the task that was running. */
  readonly task: string;
}

/** An interrupt that a line told by itself. */
export interface TextInterrupt {
  /** -1: not told. */
  readonly cpu: number;
  readonly seconds: number;
  readonly nanos: number;
  readonly irq: number;
  readonly vector: number;
}

/** Where a reader puts what it finds. */
export interface Findings {
  event(event: TextEvent): void;
  interrupt(interrupt: TextInterrupt): void;
  /** The file says that events are missing. @param cpu -1: it does not say of which CPU */
  lost(count: number, cpu: number): void;
}

/** Reads one file's lines. */
export interface LineReader {
  line(text: string, into: Findings): LineKind;
  /** The clock of the times that it has found; asked once it has found the first. */
  readonly clock: FileClock;
}

/** A packet that a capture holds. */
export interface CapturedPacket {
  readonly seconds: number;
  readonly nanos: number;
  /** Bytes of the packet from its network header on, whether they were kept or not. */
  readonly length: number;
  /** Host order; 0: the capture does not tell. */
  readonly protocol: number;
  /** From the network header on, as many as were kept, at most what a row takes. Valid during the call. */
  readonly bytes: Uint8Array;
}

/** What is known of a kind of file. */
export interface FileFormat {
  readonly name: string;
  /** What writes it, in a few words. */
  readonly sentence: string;
  readonly tells: 'interrupts' | 'packets' | 'both';
  /** What its parts are called: lines, packets. */
  readonly parts: 'lines' | 'blocks';
  /** How the stages of an interrupt, or of a packet, are stamped in it. */
  readonly stages: Readonly<Partial<Record<StageName, string>>>;
  /** What must be known of its times, a sentence; undefined: nothing. */
  readonly note?: string;
}

/** A format of text. */
export interface TextFormat extends FileFormat {
  readonly parts: 'lines';
  /** True for a line that only this format has; comments and what may be anything are no such line. */
  knows(line: string): boolean;
  reader(): LineReader;
}
