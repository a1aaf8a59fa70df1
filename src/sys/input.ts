/** Files to be read as a stream: as large as they like, or standard input. */
import { createReadStream, statSync } from 'node:fs';
import { RxError } from '../base/errors.js';

const CHUNK = 1 << 18;

/**
 * The bytes of a file, or of standard input for `-`, in pieces, until it ends or `stop` says so.
 * @throws RxError RXS_IMPORT while it is read
 */
export async function* readInput(path: string, stop: AbortSignal): AsyncGenerator<Buffer> {
  try {
    if (path !== '-' && statSync(path).isDirectory())
      throw Object.assign(new Error(), { code: 'EISDIR (a folder)' });
    const stream = path === '-' ? process.stdin : createReadStream(path, { highWaterMark: CHUNK });
    stop.addEventListener('abort', () => stream.destroy());
    for await (const chunk of stream) yield chunk as Buffer;
  } catch (cause) {
    if (stop.aborted) return;
    throw new RxError('RXS_IMPORT', {
      doing: 'reading',
      subject: path === '-' ? 'standard input' : path,
      why: (cause as NodeJS.ErrnoException).code ?? String(cause),
      hint: 'name a file, or - for standard input',
      cause,
    });
  }
}
