/**
 * A trace event's bytes, as its `format` file in tracefs lays them out: the same for ftrace's ring buffer and for
 * perf's raw samples. Offsets move between kernels, so nothing is read at a constant one.
 */
import { RxError } from '../base/errors.js';

/** How a field is kept. `data_loc`, `rel_loc`: a word that says where the text is, from the record's start or from the word's end. */
type Kind = 'number' | 'text' | 'data_loc' | 'rel_loc';

/** One field of an event. */
export interface EventField {
  readonly name: string;
  /** Bytes from the record's first, which is `common_type`. */
  readonly offset: number;
  readonly size: number;
  readonly signed: boolean;
  readonly kind: Kind;
}

/** An event's layout. */
export interface EventFormat {
  readonly name: string;
  /** Its number in this kernel until the next boot, as `common_type` and as perf's `config`. */
  readonly id: number;
  readonly fields: ReadonlyMap<string, EventField>;
  /** Bytes up to the end of the last fixed field: no whole record is shorter. */
  readonly size: number;
}

const FIELD = /^\tfield:(.+);\toffset:(\d+);\tsize:(\d+);\tsigned:([01]);/;

function readField(line: string): EventField | undefined {
  const match = FIELD.exec(line);
  if (match === null) return undefined;
  const [, declaration = '', offset, size, signed] = match;
  const name = /(\w+)(?:\[.*\])?$/.exec(declaration)?.[1];
  if (name === undefined) return undefined;
  const kind = declaration.startsWith('__data_loc')
    ? 'data_loc'
    : declaration.startsWith('__rel_loc')
      ? 'rel_loc'
      : /\bchar\b.*\[.*\]$/.test(declaration)
        ? 'text'
        : 'number';
  return { name, offset: Number(offset), size: Number(size), signed: signed === '1', kind };
}

/** Parses a `format` file. @throws RxError RXS_TRACEFS */
export function parseEventFormat(text: string): EventFormat {
  const name = /^name: (\S+)$/m.exec(text)?.[1];
  const id = Number(/^ID: (\d+)$/m.exec(text)?.[1] ?? Number.NaN);
  const fields = text.split('\n').flatMap((line) => readField(line) ?? []);
  if (name === undefined || Number.isNaN(id) || fields.length === 0) {
    throw new RxError('RXS_TRACEFS', {
      doing: 'reading the format of event',
      subject: name ?? '?',
      why: `it is not laid out as expected: ${JSON.stringify(text.slice(0, 60))}`,
      hint: 'this kernel is new to rxstamp; please report it with the file',
    });
  }
  const size = Math.max(...fields.map((field) => field.offset + field.size));
  return { name, id, fields: new Map(fields.map((field) => [field.name, field])), size };
}

/** Reads the fields of one record after the other. The object is used again: {@link EventFields.at} before reading. */
export class EventFields {
  readonly format: EventFormat;
  private view: DataView = new DataView(new ArrayBuffer(0));
  private start = 0;
  private length = 0;

  constructor(format: EventFormat) {
    this.format = format;
  }

  /** Goes to the record of `length` bytes at `start`. @returns false where it is shorter than the format says */
  at(view: DataView, start: number, length: number): boolean {
    this.view = view;
    this.start = start;
    this.length = length;
    return length >= this.format.size && start + length <= view.byteLength;
  }

  has(name: string): boolean {
    return this.format.fields.has(name);
  }

  /** common_pid: the task that was running, 0 for the idle task. */
  get pid(): number {
    return this.number('common_pid');
  }

  /** A number, exact up to 2^53; 0 where the event has no such field. */
  number(name: string): number {
    const field = this.format.fields.get(name);
    if (field === undefined) return 0;
    const at = this.start + field.offset;
    const { view } = this;
    switch (field.size) {
      case 1:
        return field.signed ? view.getInt8(at) : view.getUint8(at);
      case 2:
        return field.signed ? view.getInt16(at, true) : view.getUint16(at, true);
      case 4:
        return field.signed ? view.getInt32(at, true) : view.getUint32(at, true);
      case 8:
        return (
          (field.signed ? view.getInt32(at + 4, true) : view.getUint32(at + 4, true)) * 4_294_967_296 +
          view.getUint32(at, true)
        );
      default:
        return 0;
    }
  }

  /** An address without its upper 16 bits, which all kernel addresses share: a key, exact, never shown. 0: no such field. */
  address(name: string): number {
    const field = this.format.fields.get(name);
    if (field === undefined || field.size !== 8) return 0;
    const at = this.start + field.offset;
    return this.view.getUint16(at + 4, true) * 4_294_967_296 + this.view.getUint32(at, true);
  }

  /** A text up to its zero byte; empty where the event has no such field or its place lies outside of the record. */
  text(name: string): string {
    const field = this.format.fields.get(name);
    if (field === undefined || field.kind === 'number') return '';
    let from = field.offset;
    let length = field.size;
    if (field.kind !== 'text') {
      const place = this.view.getUint32(this.start + field.offset, true);
      from = (place & 0xffff) + (field.kind === 'rel_loc' ? field.offset + field.size : 0);
      length = place >>> 16;
    }
    if (from + length > this.length) return '';
    let text = '';
    for (let at = this.start + from; at < this.start + from + length; at++) {
      const byte = this.view.getUint8(at);
      if (byte === 0) break;
      text += String.fromCharCode(byte);
    }
    return text;
  }
}
