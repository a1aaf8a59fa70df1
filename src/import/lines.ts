/** Bytes in pieces, as lines. */

const NEWLINE = 10;
/** What is kept of a line without an end: more than any line that is understood. */
const LONGEST = 65_536;

/** Cuts pieces into lines. The text is Latin-1: no byte is refused, and what is looked at is ASCII. */
export class Lines {
  private rest = '';
  private readonly take: (line: string) => void;

  constructor(take: (line: string) => void) {
    this.take = take;
  }

  add(piece: Buffer): void {
    const decode = (start: number, end: number): string => piece.toString('latin1', start, end);
    let from = 0;
    for (let at = piece.indexOf(NEWLINE); at >= 0; at = piece.indexOf(NEWLINE, from)) {
      this.give(this.rest + decode(from, at));
      this.rest = '';
      from = at + 1;
    }
    if (from < piece.length && this.rest.length < LONGEST) this.rest += decode(from, piece.length);
  }

  private give(line: string): void {
    this.take(line.endsWith('\r') ? line.slice(0, -1) : line);
  }

  /** The last line may have no end. */
  end(): void {
    if (this.rest !== '') this.give(this.rest);
    this.rest = '';
  }
}
