/**
 * What rxstamp changed on this machine, kept under /run until it is changed back: it survives the process, and a
 * reboot clears it together with the changes. Files are replaced whole, so that a crash leaves the old or the new one.
 */
import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import koffi from 'koffi';
import { join } from 'node:path';
import { RxError } from '../base/errors.js';

const flock = koffi.load('libc.so.6').func('int flock(int fd, int operation)');
const LOCK_EX = 2;
const LOCK_NB = 4;
const LOCK_TRIES = 100;
const LOCK_WAIT_MS = 50;

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : String(error);

/** One kind of state: a folder below /run/rxstamp. */
export class StateFolder {
  readonly path: string;

  constructor(kind: string, root = '/run/rxstamp') {
    this.path = join(root, kind);
  }

  /** Names of the files. */
  names(): readonly string[] {
    try {
      return readdirSync(this.path).filter((name) => name.endsWith('.json'));
    } catch {
      return [];
    }
  }

  /** Text of a file; undefined when it is not there. @throws RxError RXS_STATE */
  read(name: string): string | undefined {
    try {
      return readFileSync(join(this.path, name), 'utf8');
    } catch (cause) {
      if (codeOf(cause) === 'ENOENT') return undefined;
      throw this.failed('reading', name, cause);
    }
  }

  /** Replaces a file, or removes it. @throws RxError RXS_STATE */
  write(name: string, text: string | undefined): void {
    const path = join(this.path, name);
    try {
      if (text === undefined) {
        rmSync(path, { force: true });
        return;
      }
      mkdirSync(this.path, { recursive: true, mode: 0o755 });
      const part = `${path}.${process.pid}.part`;
      writeFileSync(part, text, { mode: 0o644, flush: true });
      renameSync(part, path);
    } catch (cause) {
      throw this.failed('writing', name, cause);
    }
  }

  /** Runs `use` while no other process does. The kernel gives the lock back when the process ends. */
  async locked<Result>(use: () => Promise<Result> | Result): Promise<Result> {
    let fd: number;
    try {
      mkdirSync(this.path, { recursive: true, mode: 0o755 });
      fd = openSync(join(this.path, 'lock'), 'w', 0o600);
    } catch (cause) {
      throw this.failed('locking', 'lock', cause);
    }
    try {
      for (let attempt = 0; flock(fd, LOCK_EX | LOCK_NB) !== 0; attempt++) {
        if (attempt === LOCK_TRIES) throw this.failed('locking', 'lock', 'another rxstamp holds it');
        await new Promise((resolve) => setTimeout(resolve, LOCK_WAIT_MS));
      }
      return await use();
    } finally {
      closeSync(fd);
    }
  }

  private failed(doing: string, name: string, cause: unknown): RxError {
    return new RxError('RXS_STATE', {
      doing: `${doing} what was changed,`,
      subject: join(this.path, name),
      why: cause instanceof Error ? codeOf(cause) : String(cause),
      hint: 'run as root; what could not be noted is not changed, or put back at once',
      cause,
    });
  }
}
