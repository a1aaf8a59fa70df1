/** One command in a guest, as the host sees it: its output arrives in two files of the exchange folder, live. */
import { closeSync, openSync, readSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { StringDecoder } from 'node:string_decoder';

/** What a finished command left. */
export interface Finished {
  /** Exit code; 128 + number for a command ended by a signal. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Standard output to the byte. */
  readonly stdoutBytes: Buffer;
}

/** Called with each piece of output as it arrives. */
export type OnOutput = (chunk: Buffer) => void;

const CHUNK = 65_536;

/** Follows a growing file. */
class Follower {
  #at = 0;
  readonly #file: number;
  readonly #buffer = Buffer.alloc(CHUNK);

  readonly #listener: OnOutput | undefined;

  constructor(path: string, listener: OnOutput | undefined) {
    this.#listener = listener;
    this.#file = openSync(path, 'r');
  }

  drain(): void {
    if (this.#listener === undefined) return;
    for (;;) {
      const length = readSync(this.#file, this.#buffer, 0, CHUNK, this.#at);
      if (length === 0) return;
      this.#at += length;
      this.#listener(Buffer.from(this.#buffer.subarray(0, length)));
    }
  }

  close(): void {
    this.drain();
    closeSync(this.#file);
  }
}

/** Host paths of a command's output. */
export interface CommandFiles {
  readonly out: string;
  readonly err: string;
}

/** A started command. */
export class Running {
  readonly id: number;
  readonly #files: CommandFiles;
  readonly #send: (line: string) => void;
  readonly #out: Follower;
  readonly #err: Follower;
  readonly #done: Promise<Finished>;
  #finish: (code: number) => void = () => undefined;
  #fail: (error: Error) => void = () => undefined;
  #over = false;
  readonly #waiting = new Set<() => void>();
  #lines: string[] = [];
  #partial = '';
  /** A piece of output may end in the middle of a character. */
  readonly #decoder = new StringDecoder('utf8');

  constructor(
    id: number,
    files: CommandFiles,
    send: (line: string) => void,
    listeners: { readonly stdout?: OnOutput | undefined; readonly stderr?: OnOutput | undefined },
  ) {
    this.id = id;
    this.#files = files;
    this.#send = send;
    this.#out = new Follower(files.out, (chunk) => {
      listeners.stdout?.(chunk);
      this.#split(this.#decoder.write(chunk));
    });
    this.#err = new Follower(files.err, listeners.stderr);
    this.#done = new Promise((resolve, reject) => {
      this.#finish = (code) => resolve(this.#result(code));
      this.#fail = reject;
    });
    // Whoever never waits must not bring the process down when the guest ends early.
    this.#done.catch(() => undefined);
  }

  /** Reads what has arrived; called when the exchange folder changes. */
  drain(): void {
    if (this.#over) return;
    this.#out.drain();
    this.#err.drain();
  }

  /** The guest says that the command has ended. */
  ended(code: number): void {
    this.#close();
    this.#finish(code);
  }

  /** The guest has gone. */
  broken(error: Error): void {
    if (this.#over) return;
    this.#close();
    this.#fail(error);
  }

  /** Sends a signal to the command and all it started. */
  kill(signal: NodeJS.Signals = 'SIGTERM'): void {
    if (!this.#over) this.#send(`kill ${this.id} ${constants.signals[signal]}`);
  }

  /** Waits for the end. Throws RXS_LAB when the guest ended first. */
  wait(): Promise<Finished> {
    return this.#done;
  }

  /** What it has written until now; its last line may be a part of one. */
  get soFar(): { readonly stdout: string; readonly stderr: string } {
    return { stdout: readFileSync(this.#files.out, 'utf8'), stderr: readFileSync(this.#files.err, 'utf8') };
  }

  /** True once the command has ended. */
  get over(): boolean {
    return this.#over;
  }

  /** Lines of standard output as they arrive, from the first; ends with the command. For one reader. */
  async *lines(): AsyncGenerator<string, void> {
    for (;;) {
      const line = this.#lines.shift();
      if (line !== undefined) yield line;
      else if (this.#over) return;
      else await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  #split(text: string): void {
    const parts = `${this.#partial}${text}`.split('\n');
    this.#partial = parts.pop() ?? '';
    this.#lines.push(...parts);
    this.#wake();
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }

  #close(): void {
    this.#out.close();
    this.#err.close();
    this.#over = true;
    if (this.#partial !== '') this.#lines.push(this.#partial);
    this.#partial = '';
    this.#wake();
  }

  #result(code: number): Finished {
    const stdoutBytes = readFileSync(this.#files.out);
    return {
      code,
      stdoutBytes,
      stdout: stdoutBytes.toString(),
      stderr: readFileSync(this.#files.err, 'utf8'),
    };
  }
}
